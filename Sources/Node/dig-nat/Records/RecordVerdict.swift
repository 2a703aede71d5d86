import DIGAnnouncement
import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGIdentity
import Foundation

/// What came of checking one signed record with nothing but itself.
struct RecordVerdict {
    let number: Int
    let record: SignedRecord
    let outcome: Result<(author: PublicKey, statement: SignedRecord.Statement), AvailabilityError>

    init(_ record: SignedRecord, number: Int, names: RecordNames = .init()) {
        self.number = number
        self.record = record
        do throws(AvailabilityError) { self.outcome = .success(try record.verified(names: names)) } catch { self.outcome = .failure(error) }
    }

    var isRight: Bool { if case .success = self.outcome { true } else { false } }

    var line: String {
        switch self.outcome {
        case .failure(let reason): return "wrong  record \(self.number): \(reason)"
        case .success(let (author, statement)):
            switch statement {
            case .announcement(let said):
                return "right  \(Self.time(said.timestampMilliseconds))  \(author.peerID) \(said.isAvailable ? "has" : "has no longer") \(Self.text(said.key))\(Self.named(said.contentID))"
            case .report(let said):
                return "right  \(Self.time(said.timestampMilliseconds))  \(author.peerID) says of \(said.reported) and \(said.content): \(said.reason.text)\(said.detail.map { " (\(TerminalText.singleLine($0)))" } ?? "")"
            }
        }
    }

    var event: JSONObject {
        var event: JSONObject = ["event": "record", "number": .integer(Int64(self.number)), "verified": .boolean(self.isRight)]
        switch self.record.form {
        case .envelope: event["form"] = "envelope"
        case .json: event["form"] = "json"
        }
        event["receivedMs"] = .unsigned(self.record.receivedMilliseconds)
        switch self.outcome {
        case .failure(let reason): event["message"] = .string("\(reason)")
        case .success(let (author, statement)):
            event["author"] = .string("\(author.peerID)")
            event["algorithm"] = .string(author.algorithm.rawValue)
            switch statement {
            case .announcement(let said):
                event["kind"] = "announcement"
                event["peer"] = .string("\(said.peer)")
                event["contentHash"] = .string(Self.text(said.key))
                event["available"] = .boolean(said.isAvailable)
                event["timestampMs"] = .unsigned(said.timestampMilliseconds)
            case .report(let said):
                event["kind"] = "report"
                event["peer"] = .string("\(said.reported)")
                event["contentHash"] = .string("\(said.content)")
                event["reason"] = .string(said.reason.text)
                event["detail"] = said.detail.map(JSONValue.string) ?? .null
                event["timestampMs"] = .unsigned(said.timestampMilliseconds)
            }
        }
        return event
    }

    /// In the form of a content hash, which has the same bytes in it; of a name's key it is not one.
    private static func text(_ key: RendezvousKey) -> String { SHA256Digest(bytes: key.bytes).map { "\(ContentHash(digest: $0))" } ?? "" }

    private static func named(_ contentID: String?) -> String { contentID.map { " (\(TerminalText.singleLine($0)))" } ?? "" }

    private static func time(_ milliseconds: UInt64) -> String { Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601) }
}
