#if os(Linux)
import DIGNATLab
import Foundation
import Testing

/// A `dig-nat get` that was started.
struct Getter: Sendable {
    let process: LabProcess
    let output: String

    /// The last path that it told of.
    var path: ProductEvent? { self.process.events.last { $0.event.event == "path" }?.event }

    /// Waits until that share of the file has been verified.
    func reached(_ fraction: Double, within limit: Duration = .seconds(90)) async throws {
        try await self.process.event("progress", within: limit) { ($0.fraction ?? 0) >= fraction }
    }

    /// Waits for a path of that layer.
    @discardableResult
    func path(_ layer: String, within limit: Duration = .seconds(45)) async throws -> (event: ProductEvent, instant: ContinuousClock.Instant) {
        try await self.process.timedEvent("path", within: limit) { $0.layer == layer }
    }

    /// Waits for the end, which must be the whole file.
    func finish(_ file: LabFile, within limit: Duration = .seconds(75), sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let output = try await self.process.wait(timeout: limit)
        let got = FileManager.default.contents(atPath: self.output)
        let isWhole = got == file.data
        #expect(output.exit.isSuccess && isWhole, "\(self.story)", sourceLocation: sourceLocation)
    }

    /// Seconds from the first attempt to `instant`.
    func seconds(to instant: ContinuousClock.Instant) throws -> Double {
        let start = try #require(self.process.events.first { $0.event.event == "attempt" }).instant
        return (instant - start) / .seconds(1)
    }

    /// What happened, for a failure's comment.
    var story: String {
        self.process.lines.filter { !$0.text.contains("\"event\":\"progress\"") }.suffix(40)
            .map { "\n\(($0.instant - self.process.started) / .milliseconds(1)) ms \($0.text)" }.joined()
    }
}
#endif
