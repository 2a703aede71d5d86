import DIGIdentity
import DIGMultiformats

// Who has a content: asked for by its key, and answered by who has it only when asked, so that a hundred thousand contents cost the network nothing.
extension LocalDiscoveryStateMachine {
    // MARK: Inputs

    /// Somebody looks for a content. Beyond ``maximumContentQuestionCount`` nothing happens.
    ///
    /// - Returns: Whether it is asked for.
    @discardableResult
    mutating func wanted(_ key: LocalKey, now: Instant, using generator: inout some RandomNumberGenerator) -> Bool {
        if self.questions[key] != nil { return true }
        guard self.questions.count < Self.maximumContentQuestionCount else { return false }
        // A user asks, not a machine that was switched on with all others: no delay (RFC 6762 §5.2).
        self.questions[key] = ContentQuestion(nextAt: now, interval: Self.initialQueryInterval)
        return true
    }

    mutating func unwanted(_ key: LocalKey) { self.questions[key] = nil }

    /// Contents that were here are not any more.
    mutating func withdrawn(_ keys: some Sequence<LocalKey>, now: Instant) {
        for key in keys {
            guard let end = self.told.removeValue(forKey: key), now < end else { continue }
            self.takenBack.append(key)
        }
        if !self.takenBack.isEmpty { self.takeBackAt = self.takeBackAt ?? now }
    }

    // MARK: Asking

    func isAskedFor(_ name: DNSName) -> Bool {
        guard !self.questions.isEmpty, let key = LocalKey(name) else { return false }
        return self.questions[key] != nil
    }

    /// All contents are asked for once more, but none within a second of the last time.
    mutating func askForContentsAnew(at instant: Instant) {
        for (key, question) in self.questions {
            self.questions[key]?.isFirst = true
            self.questions[key]?.nextAt = min(question.nextAt, max(instant, question.lastAsked.map { $0 + Self.initialQueryInterval } ?? instant))
        }
    }

    mutating func askForContents(now: Instant) {
        guard !self.interfaces.isEmpty else { return }
        var due: [Bool: [LocalKey]] = [:]
        for (key, question) in self.questions where now >= question.nextAt {
            due[question.isFirst, default: []].append(key)
            self.questions[key]?.isFirst = false
            self.questions[key]?.lastAsked = now
            // RFC 6762 §5.2: a second, and then ever longer.
            self.questions[key]?.nextAt = now + question.interval
            self.questions[key]?.interval = min(question.interval * 2, Self.maximumContentQuestionInterval)
        }
        for (isFirst, keys) in due {
            for start in stride(from: 0, to: keys.count, by: Self.maximumContentsPerMessage) {
                let some = keys[start..<min(keys.count, start + Self.maximumContentsPerMessage)]
                var message = DNSMessage(isResponse: false)
                message.questions = some.map { DNSQuestion(name: $0.name, type: .pointer, prefersUnicast: isFirst) }
                if !isFirst { message.answers = self.knownHolders(of: some, now: now) }
                for id in self.interfaces.keys.sorted() { self.put(.send(message, on: id, to: isFirst ? .groupForUnicast : .group)) }
            }
        }
    }

    private func knownHolders(of keys: ArraySlice<LocalKey>, now: Instant) -> [DNSRecord] {
        let known = keys.flatMap { key in
            (self.questions[key]?.holders ?? [:]).lazy.filter { now < $0.value.halfLife }.map { name, holder in
                DNSRecord(name: key.name, value: .pointer(name), lifetimeSeconds: UInt32(clamping: (holder.expires - now).components.seconds))
            }
        }
        return Array(known.prefix(Self.maximumKnownAnswerCount))
    }

    // MARK: Learning

    mutating func heardOfHolder(_ instance: DNSName, of content: DNSName, lifetime: Duration, isUnicast: Bool, now: Instant) {
        guard let key = LocalKey(content), var question = self.questions[key] else { return }
        let known = question.holders[instance]
        if lifetime == .zero {
            // At once: nobody else answers under the name of that instance, for whom RFC 6762 §10.1 leaves a second.
            guard known != nil else { return }
            self.questions[key]?.holders[instance] = nil
            if let peer = self.entries[instance]?.peer { self.reportHolding(key, of: peer, now: now) }
            return
        }
        guard known != nil || question.holders.count < self.configuration.maximumPeerCount else {
            self.ignoredEntryCount += 1
            return
        }
        if let known, isUnicast, known.expires >= now + lifetime { return }
        // What simple resolvers are told is too short to be listed as known.
        question.holders[instance] = Holder(expires: now + lifetime, halfLife: isUnicast ? now : now + lifetime / 2)
        self.questions[key] = question
        if let peer = self.entries[instance]?.peer { self.reportHolding(key, of: peer, now: now) }
    }

    mutating func expireHolders(now: Instant) {
        for (key, question) in self.questions {
            for (instance, holder) in question.holders where now >= holder.expires {
                self.questions[key]?.holders[instance] = nil
                if let peer = self.entries[instance]?.peer { self.reportHolding(key, of: peer, now: now) }
            }
        }
    }

    /// The peer is another than before: so are all its contents.
    mutating func reportHoldings(of peer: PeerID, now: Instant) {
        for key in self.questions.keys { self.reportHolding(key, of: peer, now: now) }
    }

    private mutating func reportHolding(_ key: LocalKey, of peer: PeerID, now: Instant) {
        guard let question = self.questions[key] else { return }
        let holdings = question.holders.filter { self.entries[$0.key]?.peer == peer }
        let known = question.reported[peer]
        guard var report = self.reported[peer], let expires = holdings.values.map(\.expires).max() else {
            guard known != nil else { return }
            self.questions[key]?.reported[peer] = nil
            self.put(.reportHolder(DiscoveredPeer(peer: peer, addresses: [], expires: now), of: key))
            return
        }
        guard known.map({ Set($0) != Set(report.addresses) }) ?? true else { return }
        report.expires = min(report.expires, expires)
        self.questions[key]?.reported[peer] = report.addresses
        self.put(.reportHolder(report, of: key))
    }

    // MARK: Taking back

    mutating func hasTold(_ keys: [LocalKey], now: Instant) {
        guard !keys.isEmpty else { return }
        if self.told.count + keys.count > Self.maximumToldCount { self.told = self.told.filter { now < $0.value } }
        for key in keys where self.told[key] != nil || self.told.count < Self.maximumToldCount {
            self.told[key] = now + .seconds(Int64(self.lifetimeSeconds))
        }
    }

    /// Says goodbye for contents (RFC 6762 §10.1), a packet of them at a time.
    mutating func takeBack(now: Instant) {
        guard let takeBackAt = self.takeBackAt, now >= takeBackAt else { return }
        let keys = self.takenBack.prefix(Self.maximumContentsPerMessage)
        self.takenBack.removeFirst(keys.count)
        self.takeBackAt = self.takenBack.isEmpty ? nil : now + Self.takeBackInterval
        // What is here again meanwhile is here.
        let gone = keys.filter { !self.holds($0) }
        guard !gone.isEmpty else { return }
        var goodbye = DNSMessage(isResponse: true)
        goodbye.answers = gone.map { DNSRecord(name: $0.name, value: .pointer(self.instanceName), lifetimeSeconds: 0) }
        for id in self.interfaces.keys.sorted() { self.put(.send(goodbye, on: id, to: .group)) }
    }
}
