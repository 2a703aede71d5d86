import DIGContent
import Foundation
import Synchronization
import Testing

@Suite("reading while it arrives", .timeLimit(.minutes(3)))
struct ReadingTests {
    @Test("standard output has its first verified byte before 5 % of a slow transfer has arrived")
    func firstByte() async throws {
        let workspace = try Workspace()
        let bytes = SampleFile.bytes(16 << 20)
        let holder = try await workspace.share("holder", [try workspace.write(bytes, to: "film.bin"), "--rate", "1MiB"])
        let proxy = try await ForwardingProxy.start(to: try holder.port)
        defer { proxy.stop() }
        let link = try holder.link.bare(peers: [proxy.address(of: try holder.address)])

        /// What the holder had sent when the first byte came out.
        let arrived = Watched<Int?>(nil)
        let counts = proxy.counts
        let process = try workspace.start("receiver", ["get", "\(link)", "-o", "-"]) { output in
            guard !output.isEmpty else { return }
            arrived.update { $0 = $0 ?? counts.value.bytesToClient }
        }
        let count = try await arrived.wait(for: "the first byte") { $0 }
        #expect(count < bytes.count / 20, "\(count) bytes of \(bytes.count) had arrived")
        process.signal(SIGTERM)
        let result = try await process.end()
        #expect(result.exitCode == 143)
        #expect(result.output.count < bytes.count)
        Workspace.expect([UInt8](result.output), is: Array(bytes.prefix(result.output.count)))
        workspace.expectNothingElseTouched()
    }

    @Test("a reader that goes away ends the transfer")
    func brokenPipe() async throws {
        let workspace = try Workspace()
        let holder = try await workspace.share("holder", [try workspace.write(SampleFile.bytes(2 << 20), to: "film.bin")])
        let shell = ["bash", "-c", "set -o pipefail; \"$@\" | head -c 10 >/dev/null; exit ${PIPESTATUS[0]}", "bash"]
        let result = try await workspace.run("receiver", ["get", "\(holder.link)", "-o", "-"], json: false, launcher: shell)
        #expect(result.exitCode == 1, "\(result)")
        #expect(result.errorText.contains("standard output takes no more"))
    }
}
