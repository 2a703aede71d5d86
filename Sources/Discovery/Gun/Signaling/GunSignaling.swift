import Crypto
public import DIGHolePunching
public import DIGIdentity
import DIGNet
public import Logging
public import ServiceLifecycle
import Synchronization

/// Carries signaling envelopes through the GUN graph, sealed for their recipient.
///
/// Every peer has a mailbox: a node in which anybody may write, and which the peer watches. Relays see that somebody writes to that peer, and how
/// much about; neither who nor what. Messages expire, are overwritten by later ones of the same sender, and are taken out when they are over.
public final class GunSignaling: Signaling, Service {
    private struct State {
        var isRunning = false
        var isFinished = false
        /// Keys of others.
        var keys: [PeerID: (record: GunKeyRecord, readAt: ContinuousClock.Instant)] = [:]
        /// What we have written where, to be taken out.
        var sent: [(soul: String, slot: String, until: ContinuousClock.Instant)] = []
        /// Our name in a mailbox, and how many messages were sent there.
        var slots: [PeerID: (name: ExactText, count: Int)] = [:]
        /// What has arrived, by the SHA-256 of its text, so that it arrives once.
        var seen: [[UInt8]: ContinuousClock.Instant] = [:]
        var opening: TokenBucket
    }

    /// Ours: messages of one sender that stand in a mailbox side by side.
    private static let slotCount = 8
    private static let keyLifetime: Duration = .seconds(60)
    private static let tableCount = 1_024
    /// Messages a second that are tried to be opened; ten times as many at once.
    private static let openingRate = 50.0
    private static let bufferCount = 64

    private let peer: GunPeer
    private let identity: KeyPair
    private let namespace: GunNamespace
    private let messageLifetime: Duration
    private let logger: Logger
    private let privateKey = Curve25519.KeyAgreement.PrivateKey()
    private let arrived = EventBroadcast<SignedEnvelope>(bufferCount: GunSignaling.bufferCount)
    private let state = Mutex(State(opening: TokenBucket(rate: GunSignaling.openingRate, burst: 10 * GunSignaling.openingRate, now: .now)))

    /// - Parameters:
    ///   - peer: Runs on its own, with the guards of `namespace`.
    ///   - messageLifetime: How long a message may wait; at most ten minutes.
    public init(
        peer: GunPeer, identity: KeyPair, namespace: GunNamespace = .standard, messageLifetime: Duration = .seconds(60), logger: Logger
    ) {
        self.peer = peer
        self.identity = identity
        self.namespace = namespace
        self.messageLifetime = min(messageLifetime, GunSealedMessage.maximumLifetime)
        self.logger = logger
    }

    public var name: String { "gun" }

    public func envelopes() -> AsyncStream<SignedEnvelope> { self.arrived.subscribe() }

    /// Publishes the key and reads the mailbox until cancelled or shut down gracefully.
    ///
    /// - Throws: ``GunError`` `.alreadyRunning`, also after an earlier run: the streams have ended.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { throw GunError(.alreadyRunning, "this signaling is running already, or has ended") }
        let nodes = self.peer.on(self.namespace.mailbox(self.identity.peerID))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepKeyPublished() }
            group.addTask { await self.keepTidy() }
            group.addTask {
                for await node in nodes { self.read(node) }
            }
            // It throws when the task is cancelled, which ends this as well.
            do { try await gracefulShutdown() } catch {}
            group.cancelAll()
        }
        self.state.withLock { $0.isFinished = true }
        self.arrived.finish()
    }

    /// Seals `envelope` for `peer` and puts it into its mailbox.
    ///
    /// - Throws: ``GunError`` `.unknownRecipient` if no relay knows a key of `peer`, `.tooLong`; ``DIGHolePunching/SignalingError`` `.closed`.
    public func send(_ envelope: SignedEnvelope, to peer: PeerID) async throws {
        guard !self.state.withLock({ $0.isFinished }) else { throw SignalingError.closed }
        let bytes = envelope.encoded
        guard bytes.count <= GunSealedMessage.maximumPlaintextByteCount else { throw GunError(.tooLong, "a signaling message of \(bytes.count) bytes") }
        let record = try await self.key(of: peer)
        let lifetime = self.messageLifetime
        let expires = UInt64(UnixClock.milliseconds + lifetime / .milliseconds(1))
        let text = try GunSealedMessage.seal(bytes, to: record.publicKey, of: peer, expires: expires)
        let soul = self.namespace.mailbox(peer)
        let slot = self.state.withLock { state in
            if state.slots.count >= Self.tableCount, state.slots[peer] == nil, let any = state.slots.keys.first { state.slots[any] = nil }
            // A name of our own in each mailbox: those who see both can't tell that they are the same sender's.
            var slot = state.slots[peer] ?? (GunID.random(), 0)
            slot.count += 1
            state.slots[peer] = slot
            let name = "\(slot.name)-\(slot.count % Self.slotCount)"
            state.sent.removeAll { $0.soul == soul && $0.slot == name }
            if state.sent.count < Self.tableCount { state.sent.append((soul, name, .now + lifetime)) }
            return name
        }
        try await self.peer.put([slot: .text(text)], to: soul)
        // Not ours to keep: it is the recipient's mailbox.
        self.peer.release(ExactText(soul))
    }

    private func key(of peer: PeerID) async throws -> GunKeyRecord {
        let now = ContinuousClock.now
        if let known = self.state.withLock({ $0.keys[peer] }), now - known.readAt < Self.keyLifetime { return known.record }
        let node = await self.peer.get(self.namespace.keys(peer), key: GunKeyRecord.key.string)
        guard let text = node?.entries[GunKeyRecord.key]?.value.string, let record = GunKeyRecord(text: text), record.peer == peer,
            record.isValid(at: UnixClock.milliseconds)
        else { throw GunError(.unknownRecipient, "\(peer) has published no key to seal messages for") }
        self.state.withLock { state in
            if state.keys.count >= Self.tableCount, state.keys[peer] == nil, let any = state.keys.keys.first { state.keys[any] = nil }
            state.keys[peer] = (record, now)
        }
        return record
    }

    private func read(_ node: GunNode) {
        let now = UnixClock.milliseconds
        let instant = ContinuousClock.now
        for (_, entry) in node.entries.sorted(by: { ($0.value.state, $0.key) < ($1.value.state, $1.key) }) {
            guard let text = entry.value.string else { continue }
            let digest = Array(SHA256.hash(data: Array(text.utf8)))
            let mayOpen = self.state.withLock { state in
                guard state.seen[digest] == nil else { return false }
                let memory = GunSealedMessage.maximumLifetime + .seconds(180)
                if state.seen.count >= 4 * Self.tableCount { state.seen = state.seen.filter { instant - $0.value < memory } }
                // A flood that fills the memory stops what comes after it, not what came before.
                guard state.seen.count < 4 * Self.tableCount, state.opening.take(1, now: instant) else { return false }
                state.seen[digest] = instant
                return true
            }
            guard mayOpen else { continue }
            do {
                let bytes = try GunSealedMessage.open(text, with: self.privateKey, as: self.identity.peerID, now: now)
                self.arrived.emit(try SignedEnvelope(decoding: bytes))
            } catch {
                self.logger.debug("dropped a message of the mailbox", metadata: ["dig.gun.error": "\(error)"])
            }
        }
    }

    private func keepKeyPublished() async {
        let soul = self.namespace.keys(self.identity.peerID)
        while !Task.isCancelled {
            let last = self.peer.known(soul)?.entries[GunKeyRecord.key]?.state ?? 0
            let timestamp = max(UnixClock.milliseconds.rounded(.down), last.rounded(.down) + 1)
            let record = GunKeyRecord(
                peer: self.identity.peerID, publicKey: Array(self.privateKey.publicKey.rawRepresentation),
                timestampMilliseconds: UInt64(max(0, min(timestamp, 9e15))))
            do {
                try await self.peer.put([GunKeyRecord.key.string: .text(try record.text(signedWith: self.identity))], to: soul, state: timestamp)
            } catch {
                self.logger.debug("the key for signaling can't be published", metadata: ["dig.gun.error": "\(error)"])
            }
            do { try await Task.sleep(for: GunKeyRecord.lifetime / 2) } catch { return }
        }
    }

    /// Takes out what is over: from the mailboxes of others what we wrote, from ours here what anybody did.
    private func keepTidy() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(5)) } catch { return }
            let now = ContinuousClock.now
            let due = self.state.withLock { state in
                defer { state.sent.removeAll { $0.until <= now } }
                return state.sent.filter { $0.until <= now }
            }
            for (soul, slot, _) in due {
                do {
                    try await self.peer.put([slot: .null], to: soul)
                    self.peer.release(ExactText(soul))
                } catch {
                    self.logger.debug("a message can't be taken out", metadata: ["dig.gun.error": "\(error)"])
                }
            }
            let soul = self.namespace.mailbox(self.identity.peerID)
            let unix = UnixClock.milliseconds
            guard let node = self.peer.known(soul) else { continue }
            let over = node.entries.filter { !GunSealedMessage.isPlausible(key: $0.key, $0.value, now: unix) || $0.value.value == .null }.map(\.key)
            if !over.isEmpty { self.peer.forget(over, of: ExactText(soul)) }
        }
    }
}
