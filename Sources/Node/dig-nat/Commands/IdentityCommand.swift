import ArgumentParser
import DIGCommandLine
import DIGIdentity
import DIGStorage

struct IdentityCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "id",
        abstract: "Prints who this node is.",
        discussion: """
            Makes the key if there is none. The peer id is what links and other nodes call this one; the node id is the SHA-256 of the public key. \
            The private key never leaves its file.

            EXAMPLES
              dig-nat id
              dig-nat id --quiet
            """)

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        // Makes the directory for its owner alone.
        try context.database().close()
        let path = try context.keyFile()
        let key = try KeyFile(path: path).loadOrCreate()
        let algorithm = key.algorithm.rawValue
        let lines =
            self.global.quiet
            ? "\(key.peerID)"
            : """
            peer id    \(key.peerID)
            node id    \(key.nodeID)
            algorithm  \(algorithm)
            key file   \(TerminalText.singleLine(path))
            """
        context.console.result(
            lines,
            event: [
                "event": "identity", "peer": .string("\(key.peerID)"), "node": .string("\(key.nodeID)"), "algorithm": .string(algorithm),
                "keyFile": .string(path),
            ])
    }
}
