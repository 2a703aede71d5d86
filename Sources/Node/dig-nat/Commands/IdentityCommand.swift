import ArgumentParser
import DIGCommandLine
import DIGIdentity
import DIGStorage

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "id",
        abstract: "Prints who this node is; imports a key, as wallets have it; signs and verifies messages as wallets do.",
        discussion: """
            Makes the key if there is none. The peer id is what links and other nodes call this one; the node id is the SHA-256 of the public key. \
            A secp256k1 key is also an account of Ethereum: the same identity on-chain and off-chain. The overlay address is a name in fd00::/8, \
            nothing is sent there. The member key is what whoever keeps a list of members (share --members) has to know. \
            The private key never leaves its file.

            EXAMPLES
              dig-nat id
              dig-nat id --quiet
              dig-nat id import wallet-key.txt
              dig-nat id sign 'I am the one who shares holiday.mp4'
            """,
        subcommands: [IdentityShowCommand.self, IdentityImportCommand.self, IdentitySignCommand.self, IdentityVerifyCommand.self],
        defaultSubcommand: IdentityShowCommand.self)
}

struct IdentityShowCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Prints who this node is. This is what \"dig-nat id\" does.",
        discussion: """
            EXAMPLES
              dig-nat id
              dig-nat id --json
            """)

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let key = try context.ownKey()
        let report = try IdentityReport(key, path: try context.keyFile())
        context.console.result(self.global.quiet ? "\(key.peerID)" : report.text, event: report.event("identity"))
    }
}

struct IdentityImportCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes a private key that you have, such as a wallet's, as this node's key.",
        discussion: """
            FILE, or "-" for standard input, is recognized by what is in it: 64 hexadecimal digits with or without 0x (Ethereum and other wallets), \
            PEM (OpenSSL: PKCS#8, SEC 1, PKCS#1), OpenSSH, a keystore of version 3 (the JSON file of geth, MetaMask exports and others; it is opened with \
            its password), wallet import format (Bitcoin), or a key file of this software. Kinds of key: secp256k1, Ed25519, RSA, P-256. \
            Encrypted PEM and OpenSSH keys have to be decrypted first; the message says how.

            A key that is there already is kept unless --replace is given; then it stays in a file beside the new one. Others know the node, and what it \
            shares, by its key. A node that runs keeps its key until it is started again.

            EXAMPLES
              dig-nat id import wallet-key.txt
              dig-nat id import keystore.json --password-file secret.txt
              dig-nat id import ~/.ssh/id_ed25519 --replace
              pass show wallet | dig-nat id import -
            """)

    @Argument(help: ArgumentHelp("The file with the key, or \"-\" for standard input.", valueName: "file"), completion: .file())
    var file: String

    @Flag(help: "Take it even if this node has another key; the old one stays beside it.")
    var replace = false

    @Option(help: ArgumentHelp("A file with a keystore's password in its first line. (default: asks at the terminal)", valueName: "path"), completion: .file())
    var passwordFile: String?

    @Option(name: .customLong("as"), help: ArgumentHelp("What hexadecimal digits are a key of: secp256k1 or ed25519.", valueName: "kind"))
    var kind: HexadecimalKind = .secp256k1

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    /// Kinds of key that are written as bare digits.
    enum HexadecimalKind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case secp256k1, ed25519

        var algorithm: KeyAlgorithm { self == .ed25519 ? .ed25519 : .secp256k1 }
    }

    func execute(_ context: CommandContext) async throws {
        let console = context.console
        let path = try context.keyFile()
        let text = try KeyText(InputFile.bytes(self.file, limit: KeyText.maximumByteCount), name: self.file == "-" ? "standard input" : self.file)
        console.note("\(self.file == "-" ? "standard input" : TerminalText.singleLine(self.file)): \(text.words)")
        var password: String?
        if text.needsPassword {
            password = try self.passwordFile.map(InputFile.password) ?? PasswordPrompt.ask("password of \(TerminalText.singleLine(self.file)): ")
            console.note("opening the keystore, which takes a moment")
        }
        let key: KeyPair
        do throws(IdentityError) { key = try text.keyPair(hexadecimalAs: self.kind.algorithm, password: password) } catch {
            throw Self.failure(error)
        }
        // Makes the directory for its owner alone.
        try context.database().close()
        let outcome = try StoredKey(path: path).store(key, replaces: self.replace)
        var backup: String?
        switch outcome {
        case .created: console.note("this node has this key now")
        case .unchanged: console.note("this is the node's key already; nothing was changed")
        case .replaced(let old):
            backup = old
            console.note("the old key is in \(TerminalText.singleLine(old)); a node that runs keeps it until it is started again")
        }
        let report = try IdentityReport(key, path: path)
        var event = report.event("imported")
        event["changed"] = .boolean(outcome != .unchanged)
        event["backup"] = backup.map(JSONValue.string) ?? .null
        console.result(self.global.quiet ? "\(key.peerID)" : report.text, event: event)
    }

    private static func failure(_ error: IdentityError) -> CommandFailure {
        switch error.code {
        case .wrongPassword: CommandFailure(.usage, message: "\(error)", advice: "try again: the password may have been mistyped")
        case .invalidPrivateKey: CommandFailure(.usage, message: "\(error)", advice: "export the key again, and name the file that holds it")
        default: CommandFailure(.usage, message: "\(error)", advice: "export the key in another form: see dig-nat id import --help")
        }
    }
}

extension CommandContext {
    /// The key in the key file, made if there is none.
    func ownKey() throws -> KeyPair {
        // Makes the directory for its owner alone.
        try self.database().close()
        return try KeyFile(path: try self.keyFile()).loadOrCreate()
    }
}
