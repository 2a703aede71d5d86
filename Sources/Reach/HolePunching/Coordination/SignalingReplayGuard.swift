import DIGIdentity

/// Remembers who began which conversation, so that a recording of a first message begins none.
struct SignalingReplayGuard {
    private struct Key: Hashable {
        var peer: PeerID
        var session: SignalingSessionID
    }

    /// Beyond, conversations are refused until the oldest entries have expired.
    private let capacity: Int
    private var expiries: [Key: UInt64] = [:]

    init(capacity: Int = 4096) { self.capacity = max(1, capacity) }

    /// Whether `message` begins a conversation that is new.
    mutating func admits(_ message: SignalingMessage, nowMilliseconds: UInt64) -> Bool {
        guard message.recipientSession == nil else { return false }
        let key = Key(peer: message.sender, session: message.senderSession)
        guard self.expiries[key].map({ $0 <= nowMilliseconds }) ?? true else { return false }
        if self.expiries.count >= self.capacity {
            self.expiries = self.expiries.filter { $0.value > nowMilliseconds }
            guard self.expiries.count < self.capacity else { return false }
        }
        self.expiries[key] = message.expiresAtMilliseconds
        return true
    }

    /// Takes `message` for one that never came.
    mutating func forget(_ message: SignalingMessage) {
        self.expiries[Key(peer: message.sender, session: message.senderSession)] = nil
    }

    /// Another call of a conversation that goes on: a recording of it may be played for longer.
    mutating func repeated(_ message: SignalingMessage) {
        let key = Key(peer: message.sender, session: message.senderSession)
        guard let expiry = self.expiries[key] else { return }
        self.expiries[key] = max(expiry, message.expiresAtMilliseconds)
    }
}
