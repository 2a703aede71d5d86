import DIGHolePunching
import DIGIdentity
import Testing

@testable import DIGGun

@Suite("Signaling through GUN")
struct GunSignalingTests {
    @Test("an envelope arrives at its recipient, sealed on the way, and a peer without a key is said to be unknown")
    func delivery() async throws {
        try await Loopback.withRelay { relay, url, group in
            let (one, two) = (Loopback.peer(relays: [url]), Loopback.peer(relays: [url]))
            for peer in [one, two] { group.addTask { try await peer.run() } }
            try await Loopback.wait { [one, two].allSatisfy { !$0.status.relays.isEmpty } }
            let (alice, bob) = (try KeyPair.generate(), try KeyPair.generate())
            let sender = GunSignaling(peer: one, identity: alice, logger: Loopback.logger)
            let receiver = GunSignaling(peer: two, identity: bob, logger: Loopback.logger)
            var inbox = receiver.envelopes().makeAsyncIterator()
            await #expect(throws: GunError(.unknownRecipient, "")) {
                try await sender.send(try SignedEnvelope.seal(domain: "d", payloadType: [1], payload: [0], with: alice), to: bob.peerID)
            }
            for signaling in [sender, receiver] { group.addTask { try await signaling.run() } }
            try await Loopback.wait { relay.known(GunNamespace.standard.keys(bob.peerID)) != nil }
            // More than there are slots.
            for index in UInt8(0)..<20 {
                let envelope = try SignedEnvelope.seal(domain: "d", payloadType: [1], payload: [UInt8](repeating: index, count: 300), with: alice)
                try await sender.send(envelope, to: bob.peerID)
                #expect(await inbox.next() == envelope)
            }
            let mailbox = try #require(relay.known(GunNamespace.standard.mailbox(bob.peerID)))
            #expect(mailbox.entries.count <= 8)
            #expect(sender.name == "gun")
        }
    }
}
