import DIGIdentity
import DIGNet
import DIGSwarm

/// Stays with one holder: connects, waits until the connection ends, and connects again, ever more slowly while that fails.
struct HolderKeeper: Sendable {
    /// What becomes of the holder.
    enum Event: Sendable {
        case connected(any Connection)
        /// A direct connection takes the place of a relayed one.
        case moved(from: any Connection, to: any Connection)
        case disconnected(PeerID)
        /// It could not be reached, or has not what it was asked for.
        case failed(any Error)
    }

    /// Why it was left.
    enum End: Hashable, Sendable {
        /// It was asked and has it not.
        case lacks
        /// It was tried often enough.
        case givenUp
        case cancelled
    }

    /// Before each attempt that follows a failure, and the last one before all further.
    static let redialIntervals: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10)]
    /// Keeps the swarm from closing connections to holders.
    private static let protectionTag = "fetch"

    let swarm: Swarm

    /// - Parameters:
    ///   - triesOn: Whether to connect again after it failed.
    ///   - connect: `NodeError` `.notFound` says that the peer was asked and has it not.
    ///   - told: Called in order; `.connected` again after each reconnect.
    func run(
        triesOn: @Sendable () -> Bool = { true }, connect: @Sendable () async throws -> any Connection, told: @Sendable (Event) async -> Void
    ) async -> End {
        var failureCount = 0
        while !Task.isCancelled {
            do {
                let connection = try await connect()
                failureCount = 0
                await self.stay(with: connection, told: told)
            } catch {
                await told(.failed(error))
                if let error = error as? NodeError, error.code == .notFound { return .lacks }
                guard triesOn() else { return .givenUp }
            }
            do { try await Task.sleep(for: Self.redialIntervals[min(failureCount, Self.redialIntervals.count - 1)]) } catch { return .cancelled }
            failureCount += 1
        }
        return .cancelled
    }

    private func stay(with connection: any Connection, told: @Sendable (Event) async -> Void) async {
        let peer = connection.remotePeer
        self.swarm.protect(peer, tag: Self.protectionTag)
        await told(.connected(connection))
        var current = connection
        while let better = await self.swarm.directConnection(insteadOf: current) {
            await told(.moved(from: current, to: better))
            current = better
        }
        self.swarm.unprotect(peer, tag: Self.protectionTag)
        await told(.disconnected(peer))
    }
}
