import DIGContent
import Testing

/// These wait for the timeouts of the product, beside everything else.
@Suite("slow peers", .timeLimit(.minutes(3)))
struct SlowPeerTests {
    @Test("a peer that stops answering is given up and named; what it gave is kept")
    func stalls() async throws {
        let workspace = try Workspace()
        let file = try SampleFile(byteCount: 1_000_000)
        let peer = try await HostilePeer.start(file) { $0.chunk = { $0 < 3 ? [(UInt32($0), $1)] : [] } }
        let link = try ShareLink(contentHash: file.descriptor.contentHash, name: "film.bin", peers: [peer.address])
        let result = try await workspace.run("receiver", ["get", "\(link)", "--timeout", "1"], within: .seconds(90))
        result.expectFailure(7, "the peer sent nothing for 30 s", "\(peer.peerID)")
        #expect(workspace.downloaded == workspace.partial)
        let unfinished = try await workspace.run("receiver", ["ls"]).first("unfinished")
        #expect((unfinished?["fraction"].number ?? 0) > 0.15)
        workspace.expectNothingElseTouched()
        await peer.stop()
    }

    @Test("a peer that never answers is given up and named")
    func silent() async throws {
        let workspace = try Workspace()
        let file = try SampleFile(byteCount: 1_000_000)
        let peer = try await HostilePeer.start(file) { $0.describe = { _ in nil } }
        let link = try ShareLink(contentHash: file.descriptor.contentHash, name: "film.bin", peers: [peer.address])
        let result = try await workspace.run("receiver", ["get", "\(link)", "--timeout", "1"], within: .seconds(90))
        result.expectFailure(7, "did not answer in time", "\(peer.peerID)")
        #expect(workspace.downloaded == [])
        await peer.stop()
    }

    @Test("what a peer does not deliver comes from another")
    func another() async throws {
        let workspace = try Workspace()
        let file = try SampleFile(byteCount: 1_000_000)
        let peer = try await HostilePeer.start(file) { $0.chunk = { $0 < 3 ? [(UInt32($0), $1)] : [] } }
        let holder = try await workspace.share("holder", [try workspace.write(file.bytes, to: "film.bin")])
        let gate = try await ForwardingProxy.start(to: try holder.port, isOpen: false)
        let link = try ShareLink(
            contentHash: file.descriptor.contentHash, name: "film.bin", peers: [peer.address, gate.address(of: try holder.address)])
        let process = try workspace.start("receiver", ["get", "\(link)"])
        _ = try await peer.log.wait(for: "requests to the slow peer") { $0.chunkCount > 0 ? () : nil }
        gate.open()
        let result = try await process.end(within: .seconds(90))
        result.expectSuccess()
        Workspace.expect(workspace.downloads + "/film.bin", holds: file.bytes)
        #expect(result.finished["peers"].array.count == 2)
        workspace.expectNothingElseTouched()
        gate.stop()
        await peer.stop()
    }
}
