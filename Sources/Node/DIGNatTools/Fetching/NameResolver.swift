import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGNet
import DIGStorage

/// Finds out what a name or a plain SHA-256 means: asks this node's own records, whom discovery finds under it, and everybody on the local network.
struct NameResolver: Sendable {
    /// After the first answer, how long others may disagree.
    private static let dissentInterval: Duration = .seconds(2)
    /// As ``dissentInterval``, where only the local network is asked.
    private static let localDissentInterval: Duration = .milliseconds(500)

    let network: NetworkManager

    /// The content that the reference means, with what it says about it.
    ///
    /// - Throws: As ``binding(for:signer:timeout:)``.
    func target(of reference: ContentReference, options: FetchOptions, reporter: FetchReporter) async throws -> FetchTarget {
        func binding(_ key: BindingKey, signer: PeerID? = nil) async throws -> NameBinding {
            reporter.enter(.resolving)
            let binding = try await self.binding(for: key, signer: signer, timeout: options.searchTimeout)
            reporter.enter(.resolved(binding))
            return binding
        }
        var target: FetchTarget
        switch reference {
        case .link(let link): target = FetchTarget(link: link)
        case .contentHash(let hash): target = FetchTarget(contentHash: hash)
        case .name(let name, let signer): target = FetchTarget(contentHash: try await binding(.name(name), signer: signer).contentHash)
        case .sha256(let digest): target = FetchTarget(binding: try await binding(.sha256(digest)), sha256: digest)
        }
        if let demanded = options.verificationHash {
            target.sha256 = demanded
            target.sha256Source = nil
        }
        return target
    }

    /// The only content that the key is bound to: waits until somebody answers, and then a moment for whoever disagrees.
    ///
    /// - Parameters:
    ///   - signer: Whose word counts alone. Nil: everybody's, as long as they agree.
    ///   - timeout: How long to wait for a first answer. Less if everybody was asked before.
    /// - Throws: ``NodeError`` with `.notFound` or `.ambiguousName`.
    func binding(for key: BindingKey, signer: PeerID? = nil, timeout: Duration) async throws -> NameBinding {
        let resolution = NameResolution(key: key, signer: signer)
        let own = await self.network.shared.bindings(for: key)
        resolution.add(own.compactMap { try? NameBinding(verifying: $0, expecting: key, nowMilliseconds: WallClock.nowMilliseconds) })
        if let binding = try resolution.settled() { return binding }
        let (answers, answered) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let search = HolderDialer(network: self.network, link: [], key: RendezvousKey(key), asksConnectedPeers: true) { connection in
            try await resolution.ask(connection, as: self.network.access)
        } found: { _ in
            answered.yield()
        }
        try await search.running {
            await Self.first { _ = await answers.first(within: timeout) } or: { await search.everybodyWasAsked() }
            try Task.checkCancellation()
            let interval = search.asksDiscovery ? Self.dissentInterval : Self.localDissentInterval
            // The sleep ends early only when it is cancelled.
            await Self.first { try? await Task.sleep(for: interval) } or: { await search.everybodyWasAsked() }
        }
        guard let binding = try resolution.settled() else {
            throw NodeError(.notFound, "nobody who could be asked knows \(resolution.description)\(search.log.list)\(search.log.silence)")
        }
        return binding
    }

    /// Waits for whichever is over first, and cancels the other.
    private static func first(_ one: @escaping @Sendable () async -> Void, or other: @escaping @Sendable () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask(operation: one)
            group.addTask(operation: other)
            await group.next()
            group.cancelAll()
        }
    }
}
