import Foundation
import Testing

/// What the documentation shows, as it is shown. Left out are those that need a router, another machine, or the user to end them.
@Suite("The documentation's snippets run", .serialized, .timeLimit(.minutes(3)))
struct SnippetTests {
    @Test(
        "and say what they find",
        arguments: [
            ("ConnectAndPing", "round trip"), ("HashAndProve", "leads to the root"), ("KeysAndSignatures", "Ethereum address"), ("ShareAndFetch", "fetched"),
            ("TransferOverSwarm", "fetched and verified"), ("AskSTUN", "seen as"), ("PunchHole", "reached"), ("TraverseNATs", "connected by"),
            ("FindInDHT", "found"), ("ExchangePeers", "has it"), ("Gossip", "says hello"), ("FindInGun", "has it"), ("FindEverywhere", "found"),
            ("TrackAvailability", "signed by"), ("GrantAccess", "who brings the permission: admitted"),
        ])
    func run(_ name: String, says text: String) async throws {
        let executable = try DigNatProcess.executable()
        let path = URL(fileURLWithPath: executable).deletingLastPathComponent().appendingPathComponent(name).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            print("\(name) is not beside the tests and is not run")
            return
        }
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("dig-snippet-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: output) }
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = process.standardOutput
        // Whoever hangs is ended.
        let timer = Task {
            try await Task.sleep(for: .seconds(60))
            process.terminate()
        }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        timer.cancel()
        let said = String(decoding: try Data(contentsOf: output), as: UTF8.self)
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(said.contains(text), "\(said)")
    }
}
