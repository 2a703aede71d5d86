/// An element of an XML document: its name without a prefix, its text, its children. Attributes are not kept.
struct XMLElement: Hashable, Sendable {
    var name: String
    /// The text directly inside, without white space at its ends.
    var text: String
    var children: [XMLElement]

    /// The first child with this name.
    subscript(name: String) -> XMLElement? { self.children.first { $0.name == name } }
}
