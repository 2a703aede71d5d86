#if os(Linux)
import DIGNATLab
import Foundation

/// One line that `dig-nat --json` printed: the members that these tests read.
struct ProductEvent: Decodable, Sendable {
    struct Finding: Decodable, Sendable {
        var topic: String
        var weight: String
        var text: String
    }

    struct Method: Decodable, Sendable {
        var layer: String
        var works: Bool?
    }

    var event: String
    var peer: String?
    var addresses: [String]?
    var link: String?
    var contentHash: String?
    // path, attempt, attempted
    var layer: String?
    var direct: Bool?
    var address: String?
    var origin: String?
    var outcome: String?
    var cause: String?
    // progress
    var fraction: Double?
    // diagnosis, reachability
    var tier: String?
    var findings: [Finding]?
    var methods: [Method]?
    var advice: [String]?
    // announced
    var isStored: Bool?

    init?(_ line: LabLine) {
        guard line.stream == .standardOutput, line.text.hasPrefix("{"), let event = try? JSONDecoder().decode(Self.self, from: Data(line.text.utf8)) else {
            return nil
        }
        self = event
    }
}

extension LabProcess {
    /// What it has printed so far.
    var events: [(event: ProductEvent, instant: ContinuousClock.Instant)] {
        self.lines.compactMap { line in ProductEvent(line).map { ($0, line.instant) } }
    }

    /// The first event of that name, now or later.
    @discardableResult
    func event(
        _ name: String, within limit: Duration = .seconds(45), where condition: @escaping @Sendable (ProductEvent) -> Bool = { _ in true }
    ) async throws -> ProductEvent {
        try await self.timedEvent(name, within: limit, where: condition).event
    }

    func timedEvent(
        _ name: String, within limit: Duration = .seconds(45), where condition: @escaping @Sendable (ProductEvent) -> Bool = { _ in true }
    ) async throws -> (event: ProductEvent, instant: ContinuousClock.Instant) {
        @Sendable func match(_ line: LabLine) -> ProductEvent? {
            guard line.text.contains("\"\(name)\""), let event = ProductEvent(line), event.event == name, condition(event) else { return nil }
            return event
        }
        let line = try await self.line(timeout: limit) { match($0) != nil }
        guard let event = match(line) else { throw LabError(.commandFailed, "an event was read twice, and differently") }
        return (event, line.instant)
    }
}
#endif
