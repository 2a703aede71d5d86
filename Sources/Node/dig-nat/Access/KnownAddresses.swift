import DIGIdentity
import DIGMultiformats
import DIGNatTools
import Foundation

/// Where this node could be reached last, beside the database: for links that are made while another process is the node.
struct KnownAddresses {
    private static let maximumCount = 16
    private static let maximumByteCount = 16_384

    private let path: String

    init(dataDirectory: String) { self.path = dataDirectory + "/addresses" }

    /// What cannot be kept is missed in links only.
    func save(_ addresses: [Multiaddr]) {
        let text = addresses.prefix(Self.maximumCount).map { "\($0)\n" }.joined()
        try? Data(text.utf8).write(to: URL(fileURLWithPath: self.path), options: .atomic)
    }

    /// Those of the last node that ran, with its peer id. Empty: none has, or it had none.
    func load() -> [Multiaddr] {
        guard let bytes = try? InputFile.bytes(self.path, limit: Self.maximumByteCount), let text = String(validating: bytes, as: UTF8.self) else { return [] }
        return text.split(whereSeparator: \.isNewline).prefix(Self.maximumCount).compactMap { line in
            guard let address = try? Multiaddr(String(line)), address.peerID != nil else { return nil }
            return address
        }
    }
}

extension CommandContext {
    /// Nil while another process is the node: then this one has a key, and addresses, for the moment only.
    func knownAddresses(of network: NetworkManager) throws -> KnownAddresses? {
        guard try KeyFile(path: try self.keyFile()).load().publicKey == network.identity.publicKey else { return nil }
        return KnownAddresses(dataDirectory: try self.dataDirectory())
    }
}
