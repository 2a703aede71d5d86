import DIGCommandLine
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
@testable import DIGSwarm
import DIGTraversal
import Testing

@testable import dig_nat

@Suite("Whom doctor asks, and how")
struct DoctorTests {
    private let peers: [PeerID]

    init() throws { self.peers = try (0..<3).map { _ in try KeyPair.generate().peerID } }

    private func configuration(relays: [String] = [], bootstrap: [String] = []) throws -> NodeConfiguration {
        var configuration = NodeConfiguration(dataDirectory: "/nowhere")
        configuration.traversal.relays = try relays.map { try Multiaddr($0) }
        configuration.discovery.bootstrapPeers = try bootstrap.map { try Multiaddr($0) }
        return configuration
    }

    private func at(_ host: String, _ number: Int) -> String { "/ip4/\(host)/tcp/4001/p2p/\(self.peers[number])" }

    // MARK: Contacts

    @Test("the last contact at an address of its own is the stranger; the node itself connects to none of them")
    func stranger() throws {
        var node = try self.configuration(relays: [self.at("8.8.8.8", 0), self.at("8.8.4.4", 0)], bootstrap: [self.at("9.9.9.9", 1), self.at("9.9.9.9", 2)])
        var contacts = DoctorContacts(node)
        #expect(contacts.all.map(\.peer) == self.peers)
        #expect(contacts.all[0].addresses.count == 2, "one contact may have been named with several addresses")
        #expect(contacts.stranger == self.peers[0], "the others share an address: who knows one knows both")
        contacts.prepare(&node)
        #expect(node.traversal.relays.isEmpty && node.discovery.bootstrapPeers.isEmpty)
        #expect(node.traversal.minimumObservers == 2 && node.traversal.minimumMappingObservers == 2)

        node = try self.configuration(relays: [self.at("8.8.8.8", 0), self.at("9.9.9.9", 1)])
        contacts = DoctorContacts(node)
        #expect(contacts.stranger == self.peers[1])
        contacts.prepare(&node)
        #expect(node.traversal.minimumObservers == 1, "one is left to say what to ask about")
    }

    @Test("one contact is no stranger: somebody has to say where this node is seen; relays at home stay the node's own")
    func single() throws {
        #expect(DoctorContacts(try self.configuration(bootstrap: [self.at("8.8.8.8", 0)])).stranger == nil)
        var node = try self.configuration(relays: [self.at("192.168.1.7", 0)])
        let contacts = DoctorContacts(node)
        contacts.prepare(&node)
        #expect(contacts.stranger == nil && node.traversal.relays.count == 1 && node.traversal.minimumObservers == 2)
    }

    @Test("a cause is told without the address that is named before it")
    func cause() throws {
        let address = try Multiaddr("/ip4/8.8.8.8/tcp/4001")
        let dial = DialError(attempts: [.init(address: address, error: ConnectionError(.timedOut, "no answer in 5 s"))])
        #expect(DoctorExamination.cause(ConnectionError(.allAttemptsFailed, "could not connect", cause: dial)) == "no answer in 5 s")
        #expect(DoctorExamination.cause(ConnectionError(.closed, "shut down")) == "shut down")
    }

    @Test("if nobody who was named is there, the exit code says so")
    func failure() {
        typealias Contact = DiagnosisCircumstances.Contact
        let failed = Contact(peer: self.peers[0], addresses: [], outcome: .failed("no answer"))
        #expect(DoctorCommand.failure([failed])?.status == .unreachable)
        #expect(DoctorCommand.failure([failed, Contact(peer: self.peers[1], addresses: [], outcome: .connected)]) == nil)
        #expect(DoctorCommand.failure([]) == nil)
    }
}
