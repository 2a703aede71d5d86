import DIGHolePunching
import DIGIdentity
import DIGNet
import DIGNetTesting
import Testing

@testable import DIGKademlia

@Suite("DHT mailbox", .timeLimit(.minutes(2)))
struct DHTMailboxTests {
    func message(from sender: TestNode, to recipient: TestNode, _ text: String) throws -> SignedEnvelope {
        var generator = SystemRandomNumberGenerator()
        return try SignalingMessage(
            sender: sender.peer, recipient: recipient.peer, topic: "punch", senderSession: .random(using: &generator), sequence: 1,
            expiresAtMilliseconds: WallClock.nowMilliseconds + 60_000, body: Array(text.utf8)
        ).sealed(with: sender.identity)
    }

    @Test("two clients that only know the DHT get each other's messages, in both directions, each once")
    func bothWays() async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for index in 0..<8 { nodes.append(try await TestNode(on: network) { $0.mode = index < 6 ? .server : .client }) }
        let all = nodes
        let (alice, bob) = (all[6], all[7])
        try await running(all) {
            for node in all.dropFirst() { try await node.service.bootstrap(all[0].addresses) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for node in [alice, bob] { group.addTask { try await node.mailbox.run() } }
                for (from, to) in [(alice, bob), (bob, alice)] {
                    var arrived = to.mailbox.envelopes().makeAsyncIterator()
                    try await from.mailbox.publishKey()
                    try await to.mailbox.publishKey()
                    for text in ["one", "two"] {
                        let envelope = try self.message(from: from, to: to, text)
                        try await from.mailbox.send(envelope, to: to.peer)
                        let received = await arrived.next()
                        #expect(received == envelope)
                        let opened = try received.map {
                            try SignalingMessage(opening: $0, as: to.peer, nowMilliseconds: WallClock.nowMilliseconds)
                        }
                        #expect(opened?.body == Array(text.utf8))
                    }
                }
                group.cancelAll()
                do { try await group.waitForAll() } catch is CancellationError {}
            }
        }
    }

    @Test("a letter to somebody who has published no key is not sent")
    func keyUnknown() async throws {
        let network = MemoryNetwork()
        let nodes = [try await TestNode(on: network), try await TestNode(on: network)]
        try await running(nodes) {
            try await nodes[1].service.bootstrap(nodes[0].addresses)
            let envelope = try self.message(from: nodes[1], to: nodes[0], "x")
            await #expect(throws: KademliaError(.keyUnknown, "")) { try await nodes[1].mailbox.send(envelope, to: nodes[0].peer) }
        }
    }
}
