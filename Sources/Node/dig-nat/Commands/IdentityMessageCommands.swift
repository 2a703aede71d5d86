import ArgumentParser
import DIGCommandLine
import DIGIdentity

struct IdentitySignCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Signs a message with this node's key as a wallet does.",
        discussion: """
            Needs a secp256k1 key, as wallets have: see "dig-nat id import". The signature is that of Ethereum's personal_sign (EIP-191), or, with \
            --bitcoin, of Bitcoin's signmessage. Every wallet and block explorer with "verify message" can check it.

            EXAMPLES
              dig-nat id sign 'I am the one who shares holiday.mp4'
              dig-nat id sign --bitcoin --file statement.txt
            """)

    @Argument(help: ArgumentHelp("The message.", valueName: "message"))
    var message: String?

    @Option(help: ArgumentHelp("A file with the message, or \"-\" for standard input.", valueName: "path"), completion: .file())
    var file: String?

    @Flag(help: "Sign as a Bitcoin wallet does.")
    var bitcoin = false

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func validate() throws {
        if (self.message == nil) == (self.file == nil) { throw ValidationError("Say the message, or name its file with --file.") }
    }

    func execute(_ context: CommandContext) async throws {
        let message = try WalletMessage.bytes(self.message, file: self.file)
        let key = try context.ownKey()
        let signature: String
        guard key.algorithm == .secp256k1 else {
            throw CommandFailure(
                .usage, "wallets sign with secp256k1 keys, and this node's key is \(key.algorithm.rawValue)", next: "import a wallet's key: dig-nat id import FILE")
        }
        signature = self.bitcoin ? try key.signBitcoinMessage(message).description : try key.signEthereumMessage(message).description
        context.console.result(
            signature,
            event: [
                "event": "signed", "scheme": .string(self.bitcoin ? "bitcoin" : "ethereum"), "signature": .string(signature), "peer": .string("\(key.peerID)"),
                "ethereumAddress": EthereumAddress(key.publicKey).map { .string("\($0)") } ?? .null,
            ])
    }
}

struct IdentityVerifyCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Tells who signed a message with a wallet.",
        discussion: """
            SIGNATURE is that of Ethereum's personal_sign (0x and 130 hexadecimal digits) or of Bitcoin's signmessage (88 characters of base 64). \
            Any message goes with any signature, of somebody: say with --by whose it has to be, an Ethereum address, a peer id or a public key. \
            Ends with exit code 4 if it is somebody else's.

            EXAMPLES
              dig-nat id verify 'I am the one who shares holiday.mp4' 0x… --by 0xAb58…
              dig-nat id verify --file statement.txt 'IMZk…' --by 16Uiu2HA…
            """)

    @Argument(help: ArgumentHelp("The message, unless --file is given, and the signature.", valueName: "message> <signature"))
    var words: [String]

    @Option(help: ArgumentHelp("A file with the message, or \"-\" for standard input.", valueName: "path"), completion: .file())
    var file: String?

    @Option(help: ArgumentHelp("Who has to have signed it: Ethereum address, peer id, or public key in hexadecimal.", valueName: "signer"))
    var by: String?

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func validate() throws {
        guard self.words.count == (self.file == nil ? 2 : 1) else {
            throw ValidationError(self.file == nil ? "Say the message and the signature." : "With --file, say the signature only.")
        }
    }

    func execute(_ context: CommandContext) async throws {
        let message = try WalletMessage.bytes(self.file == nil ? self.words.first : nil, file: self.file)
        let expected = try self.by.map(WalletMessage.Signer.init(parsing:))
        let signer: PublicKey
        let text = self.words.last ?? ""
        do throws(IdentityError) {
            signer = text.utf8.count == 88 ? try BitcoinSignature(text).signer(of: message) : try EthereumSignature(text).signer(of: message)
        } catch {
            guard error.code == .invalidSignature else { throw error }
            throw CommandFailure(.usage, message: "this is no wallet's signature: \(error)", advice: "copy the signature again, as a whole")
        }
        let address = EthereumAddress(signer).map { "\($0)" }
        if let expected, !expected.matches(signer) {
            throw CommandFailure(
                .verificationFailed, "\(self.by ?? "") has not signed this message",
                details: ["whoever has is nobody known, or \(address ?? "")", "another message, or another signature, would be of another"],
                next: "compare the message letter for letter, line ends included")
        }
        context.console.result(
            "\(address ?? "")  \(signer.peerID)\(expected == nil ? "" : "  verified")",
            event: [
                "event": "signer", "ethereumAddress": address.map(JSONValue.string) ?? .null, "peer": .string("\(signer.peerID)"),
                "verified": expected == nil ? .null : true,
            ])
        if expected == nil { context.console.note("any message and signature lead to somebody: say with --by whom you expect") }
    }
}

/// A message that wallets sign, and who is to have signed it.
enum WalletMessage {
    /// Ours.
    static let maximumByteCount = 16 << 20

    static func bytes(_ text: String?, file: String?) throws -> [UInt8] {
        guard let file else { return Array((text ?? "").utf8) }
        let bytes = try InputFile.bytes(file, limit: self.maximumByteCount)
        guard bytes.count <= self.maximumByteCount else { throw CommandFailure(.usage, "\(file) is too long to be signed as a message", next: "sign its hash: dig-nat hash FILE") }
        return bytes
    }

    enum Signer: Hashable {
        case address(EthereumAddress)
        case peer(PeerID)
        case key(PublicKey)

        init(parsing text: String) throws {
            if let address = EthereumAddress(text) {
                self = .address(address)
            } else if let member = MemberKey(text) {
                self = .key(try PublicKey(secp256k1: member.bytes))
            } else {
                do throws(IdentityError) { self = .peer(try PeerID(text)) } catch {
                    throw CommandFailure(.usage, "\"\(text)\" names nobody", next: "give an Ethereum address (0x…), a peer id, or a public key of secp256k1 in hexadecimal")
                }
            }
        }

        func matches(_ signer: PublicKey) -> Bool {
            switch self {
            case .address(let address): EthereumAddress(signer) == address
            case .peer(let peer): peer.matches(signer)
            case .key(let key): key == signer
            }
        }
    }
}
