import DIGIdentity
import DIGMultiformats

/// Where holders said last that they are, for those who are asked for proofs when nobody has just looked for them.
struct HolderAddresses {
    /// When there are more, a sixteenth goes, those heard of longest ago.
    static let maximumCount = 4_096
    /// Of one peer.
    static let maximumAddressCount = 8

    private struct Entry {
        var addresses: [Multiaddr]
        var order: UInt64
    }

    private var entries: [PeerID: Entry] = [:]
    private var nextOrder: UInt64 = 0

    var count: Int { self.entries.count }

    subscript(peer: PeerID) -> [Multiaddr] { self.entries[peer]?.addresses ?? [] }

    mutating func note(_ addresses: [Multiaddr], of peer: PeerID) {
        guard !addresses.isEmpty else { return }
        if self.entries[peer] == nil, self.entries.count >= Self.maximumCount {
            for (oldest, _) in self.entries.sorted(by: { $0.value.order < $1.value.order }).prefix(Self.maximumCount / 16) { self.entries[oldest] = nil }
        }
        self.entries[peer] = Entry(addresses: Array(addresses.prefix(Self.maximumAddressCount)), order: self.nextOrder)
        self.nextOrder += 1
    }
}
