import DIGContent
import DIGMultiformats
import DIGNatTools
import DIGTransfer
import Foundation
import Testing

@Suite("Share and fetch", .timeLimit(.minutes(2)))
struct ShareAndFetchTests {
    @Test("a file arrives byte for byte, from a link", arguments: [0, 1, 16_384, 16_385, 65_536, 3_000_001])
    func file(byteCount: Int) async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        let source = try holder.directory.write("film.bin", byteCount: byteCount)
        let content = try await FileHost(network: holder.network).addFile(source)
        let link = try content.link(addresses: holder.network.addresses)

        let fetch = FileClient(network: receiver.network).fetch(.link(link), to: .directory(receiver.directory.path))
        let result = try await fetch.result()

        #expect(result.path == receiver.directory.file("film.bin"))
        #expect(try await receiver.network.peers.peer(holder.network.identity.peerID)?.receivedByteCount ?? 0 == UInt64(byteCount))
        #expect(try Data(contentsOf: URL(fileURLWithPath: result.path)) == Data(contentsOf: URL(fileURLWithPath: source)))
        await holder.network.stop()
        await receiver.network.stop()
    }

    @Test("a folder arrives with all its files")
    func folder() async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        for index in 0..<40 {
            try holder.directory.write("album/disc \(index % 3)/\(index).flac", byteCount: 1000 * index, seed: UInt64(index + 1))
        }
        let content = try await FileHost(network: holder.network).addFile(holder.directory.file("album"))
        #expect(content.kind == .folder)
        #expect(content.fileCount == 40)
        let link = try content.link(addresses: holder.network.addresses)

        let result = try await FileClient(network: receiver.network).fetch(.link(link), to: .directory(receiver.directory.path)).result()

        #expect(result.fileCount == 40)
        for index in 0..<40 {
            let name = "album/disc \(index % 3)/\(index).flac"
            #expect(FileManager.default.contentsEqual(atPath: holder.directory.file(name), andPath: receiver.directory.file(name)))
        }
        await holder.network.stop()
        await receiver.network.stop()
    }

    @Test("nobody there: the error says which addresses were tried and why each failed")
    func unreachable() async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        let source = try holder.directory.write("film.bin", byteCount: 100)
        let content = try await FileHost(network: holder.network).addFile(source)
        let link = try content.link(addresses: holder.network.addresses)
        await holder.network.stop()

        var options = FetchOptions()
        // It ends when every peer of the link was tried.
        options.searchTimeout = .seconds(20)
        await #expect {
            _ = try await FileClient(network: receiver.network).fetch(.link(link), to: .directory(receiver.directory.path), options: options).result()
        } throws: { error in
            (error as? NodeError)?.code == .unreachable && "\(error)".contains("/ip4/127.0.0.1/tcp/")
        }
        await receiver.network.stop()
    }
}
