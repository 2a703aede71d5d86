#if os(Linux)
import DIGNATLab
import Foundation

/// The line about one holder that `dig-nat find --json` printed: the members that these tests read.
struct FoundEvent: Decodable, Sendable {
    struct Way: Decodable, Sendable {
        var by: String
        var seconds: Double?
    }

    var event: String
    var peer: String
    var by: [Way]
    var claimed: Bool
    var confirmed: Bool?

    init?(_ line: LabLine) {
        guard line.stream == .standardOutput, line.text.contains("\"found\""),
            let event = try? JSONDecoder().decode(Self.self, from: Data(line.text.utf8)), event.event == "found"
        else { return nil }
        self = event
    }

    /// From the question to the answer.
    func seconds(by way: String) -> Double? { self.by.first { $0.by == way }?.seconds }
}

extension LabProcess {
    /// The first holder that is as it should be, now or later.
    func found(where condition: @escaping @Sendable (FoundEvent) -> Bool) async throws -> FoundEvent {
        let line = try await self.line(timeout: .seconds(45)) { FoundEvent($0).map(condition) ?? false }
        guard let event = FoundEvent(line) else { throw LabError(.commandFailed, "an event was read twice, and differently") }
        return event
    }
}
#endif
