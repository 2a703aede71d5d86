import DIGIdentity
import DIGKademlia
import DIGMultiformats
import Foundation
import GRDB

extension KademliaSnapshot.Peer: KademliaRecord {
    static let table = "kademlia_peer"
    static let columns = ["peer", "addresses"]
    static let idColumnCount = 1
    static let timeColumn: Int? = nil

    var idValues: [DatabaseValue] { [.init(self.peer.bytes)] }
    var databaseValues: [DatabaseValue] { [.init(self.peer.bytes), .init(AddressList.encode(self.addresses))] }

    init?(databaseValues values: [DatabaseValue]) {
        guard values.count == 2, let peer = values[0].peer, let addresses = values[1].addresses else { return nil }
        self.init(peer: peer, addresses: addresses)
    }
}

extension KademliaSnapshot.Provider: KademliaRecord {
    static let table = "kademlia_provider"
    static let columns = ["key", "provider", "addresses", "statement", "expires_ms"]
    static let idColumnCount = 2
    static let timeColumn: Int? = 4

    var idValues: [DatabaseValue] { [.init(self.key), .init(self.provider.bytes)] }

    var databaseValues: [DatabaseValue] {
        [
            .init(self.key), .init(self.provider.bytes), .init(AddressList.encode(self.addresses)), self.statement.map { .init($0) } ?? .null,
            .init(self.expiresAtMilliseconds),
        ]
    }

    init?(databaseValues values: [DatabaseValue]) {
        guard values.count == 5, let key = values[0].bytes, let provider = values[1].peer, let addresses = values[2].addresses,
            values[3].isNull || values[3].bytes != nil, let expiry = values[4].count
        else { return nil }
        self.init(key: key, provider: provider, addresses: addresses, statement: values[3].bytes, expiresAtMilliseconds: expiry)
    }
}

extension KademliaSnapshot.Value: KademliaRecord {
    static let table = "kademlia_value"
    static let columns = ["key", "value", "expires_ms"]
    static let idColumnCount = 1
    static let timeColumn: Int? = 2

    var idValues: [DatabaseValue] { [.init(self.key)] }
    var databaseValues: [DatabaseValue] { [.init(self.key), .init(self.value), .init(self.expiresAtMilliseconds)] }

    init?(databaseValues values: [DatabaseValue]) {
        guard values.count == 3, let key = values[0].bytes, let value = values[1].bytes, let expiry = values[2].count else { return nil }
        self.init(key: key, value: value, expiresAtMilliseconds: expiry)
    }
}

extension KademliaSnapshot.Provided: KademliaRecord {
    static let table = "kademlia_provided"
    static let columns = ["key", "lifetime_s", "provided_ms"]
    static let idColumnCount = 1
    static let timeColumn: Int? = 2

    var idValues: [DatabaseValue] { [.init(self.key)] }
    var databaseValues: [DatabaseValue] { [.init(self.key), .init(self.lifetimeSeconds), .init(self.providedAtMilliseconds)] }

    init?(databaseValues values: [DatabaseValue]) {
        guard values.count == 3, let key = values[0].bytes, let lifetime = values[1].count, let provided = values[2].count else { return nil }
        self.init(key: key, lifetimeSeconds: lifetime, providedAtMilliseconds: provided)
    }
}

extension DatabaseValue {
    fileprivate init(_ bytes: [UInt8]) { self = Data(bytes).databaseValue }
    fileprivate init(_ count: UInt64) { self = Int64(clamping: count).databaseValue }

    // Nil if the value is of another type.

    fileprivate var bytes: [UInt8]? {
        guard case .blob(let data) = self.storage else { return nil }
        return [UInt8](data)
    }

    fileprivate var count: UInt64? {
        guard case .int64(let number) = self.storage else { return nil }
        return UInt64(exactly: number)
    }

    fileprivate var peer: PeerID? {
        guard let bytes = self.bytes else { return nil }
        do { return try PeerID(bytes: bytes) } catch { return nil }
    }

    fileprivate var addresses: [Multiaddr]? { self.bytes.flatMap(AddressList.decode) }
}
