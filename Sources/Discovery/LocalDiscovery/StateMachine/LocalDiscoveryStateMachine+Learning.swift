import DIGIdentity
import DIGMultiformats

// What others say of themselves.
extension LocalDiscoveryStateMachine {
    mutating func receivedResponse(
        _ message: DNSMessage, from source: Source, on id: InterfaceID, isUnicast: Bool, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        /// What the message says of each instance: how long to believe it, and the strings of all its TXT records.
        var heard: [DNSName: (lifetime: Duration, strings: [[UInt8]]?)] = [:]
        var order: [DNSName] = []
        var holders: [(content: DNSName, instance: DNSName, lifetime: Duration)] = []
        for record in message.answers + message.additionals {
            // Records are taken back where everybody hears it.
            guard !isUnicast || record.lifetimeSeconds > 0 else { continue }
            let name: DNSName
            var strings: [[UInt8]]?
            switch record.value {
            case .pointer(let target) where record.name == Self.serviceName || (target.parent == Self.serviceName && self.isAskedFor(record.name)):
                if record.name != Self.serviceName {
                    holders.append((record.name, target, min(.seconds(Int64(record.lifetimeSeconds)), Self.maximumLifetime)))
                    // That it has this content no longer does not mean that it leaves.
                    if record.lifetimeSeconds == 0 { continue }
                }
                name = target
            case .text(let text):
                name = record.name
                strings = text
            default: continue
            }
            guard name != self.instanceName, name.parent == Self.serviceName else { continue }
            let lifetime = min(.seconds(Int64(record.lifetimeSeconds)), Self.maximumLifetime)
            if let known = heard[name] {
                let all = known.strings.map { $0 + (strings ?? []) } ?? strings
                heard[name] = (min(known.lifetime, lifetime), all)
            } else {
                heard[name] = (lifetime, strings)
                order.append(name)
            }
        }
        for name in order {
            guard let (lifetime, strings) = heard[name] else { continue }
            self.heardOf(name, lifetime: lifetime, strings: strings, from: source, on: id, isUnicast: isUnicast, now: now)
        }
        for holder in holders where holder.instance != self.instanceName {
            self.heardOfHolder(holder.instance, of: holder.content, lifetime: holder.lifetime, isUnicast: isUnicast, now: now)
        }
        // An instance without addresses is asked for by name.
        if order.contains(where: { self.entries[$0].map { $0.peer == nil && !$0.isTextQueried } ?? false }) {
            self.askSooner(on: id, at: now + Self.randomDelay(in: Self.responseDelay, using: &generator))
        }
    }

    private mutating func heardOf(
        _ name: DNSName, lifetime: Duration, strings: [[UInt8]]?, from source: Source, on id: InterfaceID, isUnicast: Bool, now: Instant
    ) {
        if lifetime == .zero {
            guard var entry = self.entries[name] else { return }
            entry.expires = min(entry.expires, now + Self.goodbyeLifetime)
            entry.refreshAt = nil
            self.entries[name] = entry
            return
        }
        guard self.entries[name] != nil || self.entries.count < self.configuration.maximumPeerCount else {
            self.ignoredEntryCount += 1
            return
        }
        var entry = self.entries[name] ?? Entry(interface: id, expires: now, halfLife: now)
        if let strings {
            guard let speaker = self.speaker(of: strings, from: source), speaker.peer != self.peer else { return }
            let former = entry.peer
            entry.peer = speaker.peer
            entry.addresses = speaker.addresses
            entry.name = speaker.name
            entry.answersForContents = speaker.answersForContents
            if let former, former != speaker.peer {
                self.entries[name] = entry
                self.reportIfChanged(former, now: now)
            }
        }
        entry.interface = id
        if entry.peer == nil {
            // The name alone does not prolong itself.
            if self.entries[name] == nil { entry.expires = now + min(lifetime, Self.nameOnlyLifetime) }
        } else if !isUnicast || now + lifetime > entry.expires {
            // An answer that is for simple resolvers shortens nothing.
            entry.expires = now + lifetime
            entry.halfLife = now + lifetime / 2
            entry.refreshAt = now + lifetime * 4 / 5
        }
        self.entries[name] = entry
        guard let peer = entry.peer else { return }
        let isNew = self.reported[peer] == nil
        self.reportIfChanged(peer, now: now)
        // Who has just come may have what is looked for.
        if isNew, entry.answersForContents { self.askForContentsAnew(at: now) }
    }

    private struct Speaker {
        var peer: PeerID
        var addresses: [Multiaddr]
        var name: String?
        var answersForContents: Bool
    }

    /// The peer that a TXT record speaks for, with those of its addresses that name it. The first address says who it is.
    private func speaker(of strings: [[UInt8]], from source: Source) -> Speaker? {
        var speaker: PeerID?
        var addresses: [Multiaddr] = []
        var name: String?
        var answersForContents = false
        for string in strings {
            guard let text = String(validating: string, as: UTF8.self) else { continue }
            let lowercased = text.lowercased()
            if lowercased == Self.contentsAttribute { answersForContents = true }
            if lowercased.hasPrefix(Self.nameAttributeKey), name == nil { name = Self.checkedName(String(text.dropFirst(Self.nameAttributeKey.count))) }
            guard addresses.count < self.configuration.maximumAddressCount, lowercased.hasPrefix(Self.attributeKey) else { continue }
            let address: Multiaddr
            do throws(MultiaddrError) {
                address = try Multiaddr(String(text.dropFirst(Self.attributeKey.count)))
            } catch {
                continue  // a protocol that is not known here, most likely
            }
            guard let peer = address.peerID, speaker == nil || speaker == peer else { continue }
            speaker = peer
            let bare = address.removingPeerID()
            guard bare.peerID == nil, Self.isUseful(bare, mayBeLoopback: source.isThisMachine), !addresses.contains(bare) else { continue }
            addresses.append(bare)
        }
        guard let speaker, !addresses.isEmpty else { return nil }
        return Speaker(peer: speaker, addresses: addresses, name: name, answersForContents: answersForContents)
    }

    mutating func expireEntries(now: Instant) {
        for (name, entry) in self.entries where now >= entry.expires {
            self.entries[name] = nil
            if let peer = entry.peer { self.reportIfChanged(peer, now: now) }
        }
    }

    /// Puts together what all instances say of a peer. There is more than one for a while after a restart.
    mutating func reportIfChanged(_ peer: PeerID, now: Instant) {
        let entries = self.entries.values.filter { $0.peer == peer }.sorted { $0.expires > $1.expires }
        var addresses: [Multiaddr] = []
        for address in entries.lazy.flatMap(\.addresses) where !addresses.contains(address) {
            guard addresses.count < self.configuration.maximumAddressCount else { break }
            addresses.append(address)
        }
        guard let last = entries.first else {
            if self.reported.removeValue(forKey: peer) != nil {
                self.put(.report(DiscoveredPeer(peer: peer, addresses: [], expires: now)))
                self.reportHoldings(of: peer, now: now)
            }
            return
        }
        let known = self.reported[peer]
        let report = DiscoveredPeer(
            peer: peer, addresses: addresses, expires: last.expires, name: last.name, answersForContents: last.answersForContents)
        self.reported[peer] = report
        // A refresh is worth a word once a second at most; the order of the addresses is of no matter.
        let isSame = known.map { $0.name == report.name && $0.answersForContents == report.answersForContents && Set($0.addresses) == Set(addresses) } ?? false
        guard let known, isSame, report.expires - known.expires < .seconds(1) else {
            self.put(.report(report))
            self.reportHoldings(of: peer, now: now)
            return
        }
        self.reported[peer]?.expires = known.expires
    }
}
