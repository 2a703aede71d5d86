/// A JSON object that keeps its members in the order given, so that output is stable.
public struct JSONObject: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    public struct Member: Hashable, Sendable {
        public var key: String
        public var value: JSONValue
    }

    public private(set) var members: [Member]

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.members = elements.map { Member(key: $0, value: $1) }
    }

    /// The value of `key`; setting appends a new member or replaces the value where it stands.
    public subscript(key: String) -> JSONValue? {
        get { self.members.first { $0.key == key }?.value }
        set {
            let index = self.members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): self.members[index].value = value
            case (let index?, nil): self.members.remove(at: index)
            case (nil, let value?): self.members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// The object on one line, without a line end.
    public var text: String {
        var result = ""
        self.write(to: &result)
        return result
    }

    func write(to output: inout String) {
        output += "{"
        for (index, member) in self.members.enumerated() {
            if index > 0 { output += "," }
            JSONValue.write(member.key, to: &output)
            output += ":"
            member.value.write(to: &output)
        }
        output += "}"
    }
}
