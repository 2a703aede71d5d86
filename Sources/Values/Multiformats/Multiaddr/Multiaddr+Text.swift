extension Multiaddr: CustomStringConvertible {
    /// Parses the text form. One slash at the end is ignored.
    ///
    /// - Throws: ``MultiaddrError`` with the place and name of the component that is wrong.
    public init(_ string: String) throws(MultiaddrError) {
        guard !string.isEmpty else { throw MultiaddrError(.empty, offset: 0, component: "", "the text is empty") }
        guard string.utf8.count <= Self.maximumByteCount else {
            throw MultiaddrError(.limitExceeded, offset: 0, component: "", "longer than \(Self.maximumByteCount) bytes")
        }
        guard string.utf8.first == UInt8(ascii: "/") else {
            throw MultiaddrError(.syntax, offset: 0, component: "", "it must start with \"/\"")
        }
        // The text behind each slash, with its place.
        var parts: [(text: String, offset: Int)] = []
        var offset = 1
        for part in string.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            parts.append((String(part) ?? "", offset))
            offset += part.count + 1
        }
        if parts.count > 1, let last = parts.last, last.text.isEmpty { parts.removeLast() }

        var components: [Component] = []
        var rest = parts[...]
        while let (name, offset) = rest.popFirst() {
            guard !name.isEmpty else {
                throw MultiaddrError(
                    string.utf8.count == 1 ? .empty : .syntax, offset: offset, component: "", "a protocol's name is missing")
            }
            guard let kind = MultiaddrProtocol(name: name) else {
                throw MultiaddrError(.unknownProtocol, offset: offset, component: name, "the protocol is not known")
            }
            guard components.count < Self.maximumComponentCount else {
                throw MultiaddrError(
                    .limitExceeded, offset: offset, component: name, "more than \(Self.maximumComponentCount) components")
            }
            var value = ""
            switch kind.valueSize {
            case .none: break
            case .fixed, .prefixed:
                guard let next = rest.popFirst(), !next.text.isEmpty else {
                    throw MultiaddrError(.missingValue, offset: offset, component: name, "its value is missing")
                }
                value = next.text
            }
            do throws(Component.InvalidValue) {
                components.append(try Component(kind, text: value))
            } catch {
                throw MultiaddrError(.invalidValue, offset: offset, component: name, error.reason)
            }
        }
        self.components = components
    }

    public var description: String {
        var text = ""
        for component in self.components {
            text += "/" + component.protocol.name
            if let value = component.textValue { text += "/" + value }
        }
        return text
    }
}
