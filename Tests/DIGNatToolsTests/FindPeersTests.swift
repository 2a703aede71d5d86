import DIGContent
import DIGNatTools
import NIOCore
import NIOPosix
import Testing

@Suite("Finding holders", .timeLimit(.minutes(2)))
struct FindPeersTests {
    /// Nodes of one machine that find each other on a port of their own.
    static func island(_ configuration: inout NodeConfiguration, port: UInt16) {
        configuration.localDiscovery = true
        configuration.multicast.interfaces = .loopback
        configuration.multicast.port = port
    }

    @Test("a connected holder answers: findPeers returns it long before its time is over, and not who lacks the content")
    func connected() async throws {
        let holder = try await TestNode.started()
        let other = try await TestNode.started()
        let receiver = try await TestNode.started()
        let content = try await FileHost(network: holder.network).addFile(try holder.directory.write("film.bin", byteCount: 1000))
        for node in [holder, other] {
            _ = try await receiver.network.connect(to: node.network.identity.peerID, addresses: node.network.addresses)
        }
        let client = FileClient(network: receiver.network)

        let clock = ContinuousClock()
        let time = await clock.measure {
            #expect(await client.findPeers(content.contentHash, limit: 1, for: .seconds(100)) == [holder.network.identity.peerID])
            // Without discovery it ends when everybody has answered.
            #expect(await client.findPeers(content.contentHash, for: .seconds(100)) == [holder.network.identity.peerID])
            #expect(await client.findPeers(content.contentHash, limit: 0, for: .seconds(100)).isEmpty)
        }
        #expect(time < .seconds(90))
        for node in [holder, other, receiver] { await node.network.stop() }
    }

    @Test("holders on the local network are told one by one, as they answer")
    func local() async throws {
        let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port.flatMap { UInt16(exactly: $0) })
        var holders: [TestNode] = []
        var hash: ContentHash?
        for _ in 0..<2 {
            let node = try await TestNode.started { Self.island(&$0, port: port) }
            hash = try await FileHost(network: node.network).addFile(try node.directory.write("film.bin", byteCount: 1000)).contentHash
            holders.append(node)
        }
        let receiver = try await TestNode.started { Self.island(&$0, port: port) }
        let content = try #require(hash)
        var found: Set<String> = []
        for await peer in FileClient(network: receiver.network).holders(of: content) {
            found.insert("\(peer)")
            if found.count == 2 { break }
        }
        #expect(found == Set(holders.map { "\($0.network.identity.peerID)" }))
        for node in holders + [receiver] { await node.network.stop() }
        try await channel.close()
    }
}
