import ArgumentParser
import DIGAccess
import DIGCommandLine
import DIGIdentity
import DIGStorage
import Foundation

struct TrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust",
        abstract: "Keeps the list of peers that this node trusts.",
        discussion: """
            Trusted peers may have what is shared with --only-trusted, and everything of a node with --no-anonymous. Each proves that it has its key; \
            an id alone is of no use to anybody else. A node that runs looks at the list each time it is asked.

            EXAMPLES
              dig-nat trust add 12D3KooW… --name Anna
              dig-nat trust ls
              dig-nat trust rm Anna
            """,
        subcommands: [TrustAddCommand.self, TrustRemoveCommand.self, TrustListCommand.self])
}

struct TrustAddCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Trusts a peer.",
        discussion: """
            PEER is what "dig-nat id" prints at the other side. The ids of Ed25519 and secp256k1 keys hold the key; for those of other keys (Qm…) say \
            the key with --key, too. With --key alone the id is that of the key.

            EXAMPLES
              dig-nat trust add 12D3KooW… --name Anna
              dig-nat trust add --key anna.pub --name Anna
              dig-nat trust add QmNno… --key 'ssh-rsa AAAAB3…'
            """)

    @Argument(help: ArgumentHelp("The peer's id.", valueName: "peer"))
    var peer: String?

    @Option(help: ArgumentHelp("Its public key: PEM, a line of OpenSSH, hexadecimal of a secp256k1 key, or a file with it.", valueName: "key"), completion: .file())
    var key: String?

    @Option(help: ArgumentHelp("What you call it.", valueName: "name"))
    var name: String?

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func validate() throws {
        if self.peer == nil, self.key == nil { throw ValidationError("Say whom: a peer id, or a key with --key.") }
        if let name = self.name, name.isEmpty || name.utf8.count > AccessStoreLimits.nameByteCount || name.contains(where: \.isNewline) {
            throw ValidationError("--name takes 1 to \(AccessStoreLimits.nameByteCount) bytes on one line.")
        }
    }

    func execute(_ context: CommandContext) async throws {
        let store = SQLiteAccessStore(database: try context.database())
        let key = try self.key.map(PeerText.publicKey)
        let peer = try self.peer.map { try PeerText.peer($0) } ?? key?.peerID
        guard let peer, let publicKey = key ?? peer.publicKey else {
            throw CommandFailure(.usage, "\(self.peer ?? "") is a hash of the peer's key, and does not hold it", next: "say the key, too: --key FILE")
        }
        guard peer.matches(publicKey) else {
            throw CommandFailure(.usage, "the key is that of \(publicKey.peerID), not of \(peer)", next: "ask the peer for both again: dig-nat id")
        }
        if try peer == context.ownKey().peerID { context.console.warning("this is the node's own id") }
        let known = try await store.trustedPeer(peer)
        let trusted = try TrustedPeer(peer: peer, publicKey: publicKey, name: self.name ?? known?.name, added: known?.added ?? Date())
        try await store.trust(trusted)
        context.console.result(TrustListCommand.line(trusted), event: TrustListCommand.event(trusted, name: "trusted"))
        if known != nil { context.console.note("it was trusted before") }
    }
}

struct TrustRemoveCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Trusts a peer no longer.",
        discussion: """
            What it has got it keeps. Grants that were made for it stay good: take them back with "dig-nat grant revoke".

            EXAMPLES
              dig-nat trust rm Anna
              dig-nat trust rm 12D3KooW…
            """,
        aliases: ["remove"])

    @Argument(help: ArgumentHelp("Ids or names.", valueName: "peer"))
    var peers: [String]

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let store = SQLiteAccessStore(database: try context.database())
        for text in self.peers {
            let peer = try await PeerText.peer(text, in: store)
            guard try await store.removeTrusted(peer) else {
                throw CommandFailure(.notFound, "\(text) is not trusted", next: "see who is with: dig-nat trust ls")
            }
            context.console.result("\(peer)", event: ["event": "untrusted", "peer": .string("\(peer)")])
        }
    }
}

struct TrustListCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists the peers that this node trusts.",
        discussion: """
            EXAMPLES
              dig-nat trust ls
              dig-nat trust ls --json
            """,
        aliases: ["list"])

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let trusted = try await SQLiteAccessStore(database: try context.database()).trustedPeers()
        for peer in trusted { context.console.result(Self.line(peer), event: Self.event(peer, name: "trusted")) }
        if trusted.isEmpty { context.console.note("nobody is trusted; trust somebody with: dig-nat trust add PEER --name NAME") }
    }

    static func line(_ trusted: TrustedPeer) -> String {
        let address = EthereumAddress(trusted.publicKey).map { "  \($0)" } ?? ""
        return "\(trusted.peer)  \(trusted.publicKey.algorithm.rawValue)\(address)  \(TerminalText.singleLine(trusted.name ?? "-"))"
    }

    static func event(_ trusted: TrustedPeer, name: String) -> JSONObject {
        [
            "event": .string(name), "peer": .string("\(trusted.peer)"), "name": trusted.name.map(JSONValue.string) ?? .null,
            "publicKey": .string("\(trusted.publicKey)"), "ethereumAddress": EthereumAddress(trusted.publicKey).map { .string("\($0)") } ?? .null,
            "addedSeconds": .integer(Int64(trusted.added.timeIntervalSince1970)),
        ]
    }
}
