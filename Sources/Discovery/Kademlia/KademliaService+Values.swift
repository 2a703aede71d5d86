import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import OrderedCollections
import Synchronization

extension KademliaService {
    /// Stores `value` at the nodes closest to `key`, and here if this node serves the DHT.
    ///
    /// - Parameter key: `/NAMESPACE/…` with a validator for the namespace: ``PublicKeyValidator/key(of:)``, ``SignedValue/key(_:of:)``.
    /// - Returns: How many nodes have it.
    /// - Throws: ``KademliaError`` `.invalidValue`, `.noPeers`, `.notStored`; `CancellationError`.
    @discardableResult
    public func putValue(_ value: [UInt8], under key: [UInt8]) async throws -> ProvideResult {
        let record = ValueRecord(key: key, value: value)
        do throws(ValueError) {
            let validator = try self.responder.validators.validator(for: key)
            guard value.count <= self.configuration.values.maximumValueByteCount, key.count <= KademliaLimits.maximumKeyByteCount else {
                throw .malformed
            }
            _ = try validator.validate(value, under: key, nowMilliseconds: WallClock.nowMilliseconds)
        } catch {
            throw KademliaError(.invalidValue, "no node would take this value", cause: error)
        }
        let question = KademliaMessage(kind: .putValue, key: key, record: record)
        if self.mode == .server {
            _ = self.responder.reply(to: question, from: self.localPeer, at: .init(components: []), moment: .current)
        }
        // GET_VALUE and not FIND_NODE, which some answer for names of peers only.
        let lookup = try await self.lookUp(KademliaKey(hashing: key), asking: KademliaMessage(kind: .getValue, key: key))
        return try await self.store(question, at: lookup.keepers(self.configuration.lookup.replication))
    }

    /// Sends a value to each of `peers`.
    func store(_ question: KademliaMessage, at peers: [KademliaPeer]) async throws -> ProvideResult {
        guard !peers.isEmpty else { throw KademliaError(.noPeers, "no node has answered") }
        let stored = await withTaskGroup(of: Bool.self) { group in
            for peer in peers {
                group.addTask {
                    do {
                        return try await self.ask(question, of: peer).message.record?.value == question.record?.value
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        try Task.checkCancellation()
        guard stored > 0 else { throw KademliaError(.notStored, "none of \(peers.count) nodes has taken the value") }
        return ProvideResult(asked: peers.count, stored: stored)
    }

    /// The best value under `key` that is found.
    ///
    /// Nodes that had a worse one are given the best (kad-dht r2, "Entry correction").
    ///
    /// - Parameter quorum: Values to see before the best of them is taken, unless the lookup ends before; nil: as configured.
    /// - Returns: Nil if none is valid.
    /// - Throws: ``KademliaError`` `.invalidKey` without a validator for the namespace, `.noPeers`; `CancellationError`.
    public func getValue(under key: [UInt8], quorum: Int? = nil) async throws -> [UInt8]? {
        let validator: any ValueValidator
        do throws(ValueError) { validator = try self.responder.validators.validator(for: key) } catch {
            throw KademliaError(.invalidKey, "no validator for this key", cause: error)
        }
        guard key.count <= KademliaLimits.maximumKeyByteCount else { throw KademliaError(.invalidKey, "a key of \(key.count) bytes") }
        let quorum = max(1, quorum ?? self.configuration.quorum)
        var best = self.responder.state.withLock { $0.values.value(under: key, now: .now)?.value }
        var count = best == nil ? 0 : 1
        var holders: [(peer: KademliaPeer, value: [UInt8])] = []
        guard count < quorum else { return best }
        do {
            _ = try await self.lookUp(KademliaKey(hashing: key), asking: KademliaMessage(kind: .getValue, key: key)) { peer, answer, _ in
                guard let record = answer.record, record.key == key || record.key.isEmpty else { return true }
                do throws(ValueError) {
                    _ = try validator.validate(record.value, under: key, nowMilliseconds: WallClock.nowMilliseconds)
                } catch {
                    self.count { $0.disbelievedAnswers += 1 }
                    return true
                }
                count += 1
                holders.append((peer, record.value))
                if let known = best {
                    if known != record.value, validator.prefers(record.value, to: known, under: key) { best = record.value }
                } else {
                    best = record.value
                }
                return count < quorum
            }
        } catch let error as KademliaError where error.code == .noPeers && best != nil {
            return best
        }
        guard let best else { return nil }
        if let own = self.responder.state.withLock({ $0.values.value(under: key, now: .now)?.value }), own != best {
            let record = ValueRecord(key: key, value: best)
            _ = self.responder.reply(
                to: KademliaMessage(kind: .putValue, key: key, record: record), from: self.localPeer, at: .init(components: []), moment: .current)
        }
        await self.correct(holders.filter { $0.value != best }.map(\.peer), with: ValueRecord(key: key, value: best))
        return best
    }

    private func correct(_ peers: [KademliaPeer], with record: ValueRecord) async {
        guard !peers.isEmpty else { return }
        let question = KademliaMessage(kind: .putValue, key: record.key, record: record)
        do {
            _ = try await self.store(question, at: Array(peers.prefix(self.configuration.lookup.replication)))
        } catch {
            self.logger.debug("worse values stay", metadata: ["dig.kademlia.error": "\(error)"])
        }
    }

    // MARK: Mailboxes

    /// What the nodes at `peers` keep for `recipient`, checked, each letter once.
    func letters(for recipient: PeerID, at peers: [KademliaPeer]) async -> [Letter] {
        let key = Letter.key(for: recipient)
        return await withTaskGroup(of: [[UInt8]].self) { group in
            for peer in peers {
                group.addTask {
                    do {
                        let answer = try await self.ask(KademliaMessage(kind: .getValue, key: key), of: peer).message
                        guard let record = answer.record, record.key == key else { return [] }
                        return LetterBundle.decode(record.value) ?? []
                    } catch {
                        return []
                    }
                }
            }
            var seen: Set<[UInt8]> = []
            var letters: [Letter] = []
            for await bundle in group {
                for bytes in bundle where seen.insert(bytes).inserted {
                    do throws(ValueError) {
                        letters.append(try KademliaResponder.checked(bytes, for: recipient, moment: .current))
                    } catch {
                        self.count { $0.disbelievedAnswers += 1 }
                    }
                }
            }
            return letters
        }
    }

    /// The nodes that keep the letters for `recipient`.
    func mailboxNodes(of recipient: PeerID) async throws -> [KademliaPeer] {
        let key = Letter.key(for: recipient)
        let lookup = try await self.lookUp(KademliaKey(hashing: key), asking: KademliaMessage(kind: .getValue, key: key))
        return lookup.keepers(self.configuration.lookup.replication)
    }

    /// Puts a letter of this node into the mailbox of `recipient`.
    func post(_ letter: [UInt8], to recipient: PeerID, at peers: [KademliaPeer]) async throws -> ProvideResult {
        let key = Letter.key(for: recipient)
        return try await self.store(
            KademliaMessage(kind: .putValue, key: key, record: ValueRecord(key: key, value: LetterBundle.encode([letter]))), at: peers)
    }
}
