import Crypto
public import DIGHolePunching
public import DIGIdentity
import DIGNet
import Foundation
public import Logging
import OrderedCollections
public import ServiceLifecycle
import Synchronization

/// Small messages between peers that have no connection and no relay in common, left with the nodes of the DHT closest to the recipient's
/// mailbox `/dig/mailbox/PEER` (layer 7).
///
/// A recipient publishes an X25519 key as a ``SignedValue`` under `/dig/mailkey/PEER`, made anew in each process. A sender seals the envelope
/// with it (RFC 9180, base mode), signs the letter and puts it to the nodes closest to the mailbox, which take one letter of each sender, from
/// the sender only, and forget it when it is over. The recipient looks into its mailbox every few seconds. Nodes see who writes to whom
/// and when, and nothing else.
public final class DHTMailbox: Signaling, Service {
    private struct RecipientKey: Sendable {
        var key: Curve25519.KeyAgreement.PublicKey
        var expiresAt: ContinuousClock.Instant
    }

    private struct State {
        var hasRun = false
        var keys: OrderedDictionary<PeerID, RecipientKey> = [:]
        var nodes: OrderedDictionary<PeerID, (nodes: [KademliaPeer], at: ContinuousClock.Instant)> = [:]
        /// Letters seen, until they are over.
        var seen: [Seen: UInt64] = [:]
        var opened: [PeerID: (count: Int, since: ContinuousClock.Instant)] = [:]
        /// Of the newest statement of the own key.
        var publishedSequence: UInt64 = 0
    }

    private struct Seen: Hashable {
        var sender: PeerID
        var sequence: UInt64
    }

    private static let maximumSeenLetters = 4096

    private let service: KademliaService
    private let configuration: DHTMailboxConfiguration
    private let logger: Logger
    private let privateKey = Curve25519.KeyAgreement.PrivateKey()
    private let broadcast: EventBroadcast<SignedEnvelope>
    private let state = Mutex(State())

    /// - Parameter service: A node of a network whose nodes keep mailboxes: not the public one.
    public init(service: KademliaService, configuration: DHTMailboxConfiguration = .init(), logger: Logger) {
        self.service = service
        self.configuration = configuration
        self.logger = logger
        self.broadcast = EventBroadcast(bufferCount: configuration.bufferCount)
    }

    public var name: String { "dht" }

    /// What lies in a mailbox until its owner looks, at the longest.
    public var typicalDelay: Duration { self.configuration.pollInterval }

    public func envelopes() -> AsyncStream<SignedEnvelope> { self.broadcast.subscribe() }

    static func keyName(of peer: PeerID) -> [UInt8] { SignedValue.key("mailkey", of: peer) }

    // MARK: Sending

    /// Leaves `envelope` for `peer`.
    ///
    /// - Throws: ``KademliaError`` `.keyUnknown` if the peer has published no key, `.noPeers`, `.notStored`, `.invalidValue` if it is too long;
    ///   `CancellationError`.
    public func send(_ envelope: SignedEnvelope, to peer: PeerID) async throws {
        async let nodes = self.nodes(of: peer)
        let key = try await self.key(of: peer)
        let sealed = try LetterSeal.close(envelope.encoded, for: key, from: self.service.localPeer, to: peer)
        guard sealed.ciphertext.count <= Letter.maximumCiphertextByteCount else {
            throw KademliaError(.invalidValue, "an envelope of \(envelope.encoded.count) bytes is too long for a letter")
        }
        let lifetime = UInt64(clamping: self.configuration.letterLifetime.components.seconds) * 1000
        let letter = Letter(
            sender: self.service.localPeer, recipient: peer, sequence: self.service.nextSequence(),
            expiresAtMilliseconds: WallClock.nowMilliseconds + min(lifetime, Letter.maximumLifetimeMilliseconds),
            encapsulatedKey: sealed.encapsulatedKey, ciphertext: sealed.ciphertext)
        let result = try await self.service.post(letter.sealed(with: self.service.identity), to: peer, at: nodes)
        self.logger.debug(
            "letter posted", metadata: ["dig.kademlia.peer": "\(peer)", "dig.kademlia.stored": "\(result.stored)", "dig.kademlia.asked": "\(result.asked)"])
    }

    private func key(of peer: PeerID) async throws -> Curve25519.KeyAgreement.PublicKey {
        if let known = self.state.withLock({ $0.keys[peer] }), known.expiresAt > .now { return known.key }
        guard let bytes = try await self.service.getValue(under: Self.keyName(of: peer), quorum: 3) else {
            throw KademliaError(.keyUnknown, "\(peer) has published no key for letters")
        }
        let value = try SignedValue(opening: bytes)
        let key: Curve25519.KeyAgreement.PublicKey
        do { key = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: value.value) } catch {
            throw KademliaError(.keyUnknown, "\(peer) has published something that is no key", cause: error)
        }
        // Asked for again soon: a peer that has started anew has another one.
        let expiresAt = KademliaResponder.Moment.current.instant(of: value.expiresAtMilliseconds)
        self.state.withLock { state in
            state.keys[peer] = RecipientKey(key: key, expiresAt: min(expiresAt, .now + .seconds(60)))
            if state.keys.count > self.configuration.maximumKnownKeys { state.keys.removeFirst() }
        }
        return key
    }

    private func nodes(of peer: PeerID) async throws -> [KademliaPeer] {
        if let known = self.state.withLock({ $0.nodes[peer] }), .now - known.at < self.configuration.nodesInterval, !known.nodes.isEmpty {
            return known.nodes
        }
        let nodes = try await self.service.mailboxNodes(of: peer)
        self.state.withLock { state in
            state.nodes[peer] = (nodes, .now)
            if state.nodes.count > self.configuration.maximumKnownKeys { state.nodes.removeFirst() }
        }
        return nodes
    }

    // MARK: Receiving

    /// Publishes this node's key and looks into its mailbox until cancelled or shut down gracefully. Runs once.
    ///
    /// - Throws: ``KademliaError`` with `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else { throw KademliaError(.alreadyRunning, "the mailbox is looked at already, or was") }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.publish() }
                group.addTask { await self.poll() }
            }
        }
        self.broadcast.finish()
    }

    /// Ours: the waits after a key could not be published; twice as long each time. A node that has just started knows nobody yet, and until its key is
    /// known nobody can answer it.
    private static let firstRetryInterval: Duration = .milliseconds(500)
    private static let maximumRetryInterval: Duration = .seconds(15)

    private func publish() async {
        var retry = Self.firstRetryInterval
        while !Task.isCancelled {
            var wait = self.configuration.keyLifetime / 2
            do {
                try await self.publishKey()
                retry = Self.firstRetryInterval
            } catch {
                self.logger.debug("key not published", metadata: ["dig.kademlia.error": "\(error)"])
                wait = min(wait, retry)
                retry = min(retry * 2, Self.maximumRetryInterval)
            }
            do { try await Task.sleep(for: wait) } catch { return }
        }
    }

    /// Stores the key that letters to this node are sealed with.
    func publishKey() async throws {
        let owner = self.service.localPeer
        let sequence = self.state.withLock { state in
            state.publishedSequence = self.service.nextSequence()
            return state.publishedSequence
        }
        let value = SignedValue(
            owner: owner, key: Self.keyName(of: owner), sequence: sequence,
            expiresAtMilliseconds: WallClock.nowMilliseconds + UInt64(clamping: self.configuration.keyLifetime.components.seconds) * 1000,
            value: Array(self.privateKey.publicKey.rawRepresentation))
        do {
            try await self.service.putValue(value.sealed(with: self.service.identity), under: value.key)
        } catch let error as KademliaError where error.code == .notStored {
            // Overtaken by the same key with a higher number, which is why nobody took this one.
            guard self.state.withLock({ $0.publishedSequence > sequence }) else { throw error }
        }
    }

    private func poll() async {
        var turn = 0
        while !Task.isCancelled {
            do {
                let nodes = try await self.nodes(of: self.service.localPeer)
                let count = min(self.configuration.pollFanout, nodes.count)
                let asked = (0..<count).map { nodes[(turn + $0) % nodes.count] }
                turn = nodes.isEmpty ? 0 : (turn + count) % nodes.count
                for letter in await self.service.letters(for: self.service.localPeer, at: asked) { self.received(letter) }
            } catch {
                self.logger.debug("mailbox not reached", metadata: ["dig.kademlia.error": "\(error)"])
            }
            do { try await Task.sleep(for: self.configuration.pollInterval) } catch { return }
        }
    }

    private func received(_ letter: Letter) {
        guard self.isNew(letter) else { return }
        do {
            let envelope = try SignedEnvelope(decoding: try LetterSeal.open(letter, with: self.privateKey))
            guard envelope.publicKey.peerID == letter.sender else { throw ValueError.wrongOwner }
            self.broadcast.emit(envelope)
        } catch {
            self.service.count { $0.disbelievedAnswers += 1 }
            self.logger.debug("letter not readable", metadata: ["dig.kademlia.peer": "\(letter.sender)", "dig.kademlia.error": "\(error)"])
        }
    }

    /// Whether a letter has not been seen, and its sender writes no more than it may.
    private func isNew(_ letter: Letter) -> Bool {
        self.state.withLock { state in
            let (now, milliseconds) = (ContinuousClock.now, WallClock.nowMilliseconds)
            let seen = Seen(sender: letter.sender, sequence: letter.sequence)
            guard state.seen[seen] == nil else { return false }
            if state.seen.count >= Self.maximumSeenLetters {
                state.seen = state.seen.filter { $0.value > milliseconds }
                guard state.seen.count < Self.maximumSeenLetters else { return false }
            }
            state.seen[seen] = letter.expiresAtMilliseconds
            state.opened = state.opened.filter { now - $0.value.since < .seconds(60) }
            var opened = state.opened[letter.sender] ?? (0, now)
            opened.count += 1
            state.opened[letter.sender] = opened
            return opened.count <= self.configuration.maximumLettersPerSenderAndMinute
        }
    }
}
