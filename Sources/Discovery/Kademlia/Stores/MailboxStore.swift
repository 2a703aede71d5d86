import OrderedCollections
import DIGIdentity

/// Letters that wait to be fetched. Of each sender there is one for each recipient, its newest.
struct MailboxStore: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Entry: Sendable {
        var sender: PeerID
        var sequence: UInt64
        var bytes: [UInt8]
        var network: NetworkGroup?
        var expiresAt: Instant
    }

    private let configuration: MailboxStoreConfiguration
    /// Recipients in the order in which their first letter came, letters in the order of theirs.
    private var boxes: OrderedDictionary<PeerID, [Entry]> = [:]
    private(set) var count = 0
    private(set) var evictedCount: UInt64 = 0

    init(configuration: MailboxStoreConfiguration = .init()) { self.configuration = configuration }

    /// - Parameters:
    ///   - bytes: The encoded envelope of `letter`, checked.
    ///   - network: Where the sender came from.
    /// - Returns: False if a newer letter of the sender is here.
    mutating func add(_ letter: Letter, bytes: [UInt8], network: NetworkGroup?, expiresAt: Instant, now: Instant) -> Bool {
        var box = (self.boxes[letter.recipient] ?? [])
        let before = box.count
        box.removeAll { $0.expiresAt <= now }
        if let old = box.firstIndex(where: { $0.sender == letter.sender }) {
            guard letter.sequence > box[old].sequence else {
                self.count += box.count - before
                self.boxes[letter.recipient] = box
                return letter.sequence == box[old].sequence && bytes == box[old].bytes
            }
            box.remove(at: old)
        }
        if box.count >= min(self.configuration.maximumLettersPerRecipient, LetterBundle.maximumLetterCount),
            let victim = FairEviction.victim(among: box.map(\.network), for: network)
        {
            box.remove(at: victim)
            self.evictedCount += 1
        }
        box.append(Entry(sender: letter.sender, sequence: letter.sequence, bytes: bytes, network: network, expiresAt: expiresAt))
        self.boxes[letter.recipient] = box
        self.count += box.count - before
        while self.count > self.configuration.maximumLetters || self.boxes.count > self.configuration.maximumRecipients {
            let oldest = self.boxes.removeFirst().value
            self.count -= oldest.count
            self.evictedCount += UInt64(oldest.count)
        }
        return true
    }

    /// Encoded envelopes, the oldest first.
    func letters(for recipient: PeerID, now: Instant) -> [[UInt8]] {
        (self.boxes[recipient] ?? []).filter { $0.expiresAt > now }.map(\.bytes)
    }

    mutating func expire(now: Instant) {
        for recipient in Array(self.boxes.keys) {
            guard let box = self.boxes[recipient] else { continue }
            let left = box.filter { $0.expiresAt > now }
            guard left.count < box.count else { continue }
            self.count -= box.count - left.count
            self.boxes[recipient] = left.isEmpty ? nil : left
        }
    }
}
