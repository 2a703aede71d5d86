import DIGCommandLine
import DIGContent
import DIGNatTools

extension SharedContent {
    /// The members that describe it in any event.
    func event(_ name: String, link: String?) -> JSONObject {
        [
            "event": .string(name), "contentHash": .string(self.contentHash.description), "kind": .string(self.kind.rawValue),
            "name": .string(self.name), "contentID": self.contentID.map(JSONValue.string) ?? .null, "path": .string(self.path),
            "bytes": .unsigned(self.byteCount), "files": .integer(Int64(self.fileCount)), "sha256": self.sha256.map { .string($0.hex) } ?? .null,
            "link": link.map(JSONValue.string) ?? .null,
        ]
    }
}
