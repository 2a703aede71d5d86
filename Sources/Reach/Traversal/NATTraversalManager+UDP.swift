import DIGAutoNAT
import DIGMultiformats
import DIGNet
public import DIGSTUN
import DIGSwarm
public import DIGUDP
import Logging
import Synchronization

extension NATTraversalManager {
    /// How long a failed look at UDP is not repeated.
    private static let udpRetryInterval: Duration = .seconds(300)

    /// Gives the node's UDP port, once it is bound: STUN servers are asked about it.
    ///
    /// - Parameters:
    ///   - endpoint: Stays the caller's, who closes it after ``run()``.
    ///   - servesSTUN: Whether peers that ask on it are told how they look from here, as of a port that others can know.
    public func attach(_ endpoint: UDPEndpoint, servesSTUN: Bool) {
        self.state.withLock { $0.udp = endpoint }
        if servesSTUN { self.stunServer.serve(endpoint) }
        self.udpLooks.yield()
    }

    /// What this node has answered as a STUN server.
    public var stunStatistics: STUNServerStatistics { self.stunServer.statistics }

    /// Asks the STUN servers when there is a port, and again in each new network.
    func followUDP() async {
        guard !self.configuration.stunServers.isEmpty else { return }
        var configuration = STUNClientConfiguration()
        configuration.addressPolicy = self.configuration.addressPolicy
        var known: NATBehaviorDiscovery?
        for await _ in self.udpLookTimes {
            guard let endpoint = self.state.withLock({ $0.udp }) else { continue }
            let discovery =
                if let known, known.endpoint === endpoint { known } else { NATBehaviorDiscovery(endpoint: endpoint, configuration: configuration, logger: self.logger) }
            known = discovery
            do {
                let behavior = try await discovery.run(servers: self.configuration.stunServers)
                self.state.withLock { state in
                    state.udpBehavior = behavior
                    state.udpProblem = nil
                }
            } catch is CancellationError {
                return
            } catch {
                self.state.withLock { state in
                    state.udpBehavior = nil
                    state.udpProblem = "\(error)"
                }
                self.logger.info("the STUN servers did not help", metadata: ["dig.traversal.error": "\(error)"])
                let retry = self.spawn {
                    do { try await Task.sleep(for: Self.udpRetryInterval) } catch { return }
                    self.udpLooks.yield()
                }
                self.waitForUDPRetry(retry)
            }
            self.changes.emit(())
        }
    }

    /// One look waits to be repeated, not one for each that failed.
    private func waitForUDPRetry(_ retry: Task<Void, Never>?) {
        let former = self.state.withLock { state in
            defer { state.udpRetry = retry }
            return state.udpRetry
        }
        former?.cancel()
    }

    /// Compares the network with the one known, and finds out anew what depends on it.
    func lookAtNetwork() {
        let snapshot = self.reachability.snapshot
        let interfaces = NetworkFingerprint(external: [], interfaces: self.swarm.listenAddresses.filter { !$0.isLoopback })
        let externals = Set(
            snapshot.addresses.map(\.external).filter { $0.basis >= .mapped }.map { Multiaddr(components: Array($0.address.components.prefix(1))) })
        let (isElsewhere, isRenumbered) = self.state.withLock { state in
            defer {
                state.interfaces = interfaces
                // Not to be forgotten while nothing is known for a moment.
                if !externals.isEmpty { state.externals = externals }
            }
            return (
                state.interfaces != .unknown && state.interfaces != interfaces,
                !state.externals.isEmpty && !externals.isEmpty && state.externals.isDisjoint(with: externals)
            )
        }
        if isElsewhere { self.reachability.networkChanged() }
        if isElsewhere || isRenumbered { self.udpLooks.yield() }
    }
}

extension Multiaddr {
    fileprivate var isLoopback: Bool {
        switch self.components.first {
        case .ip4(let ip): ip.scope == .loopback
        case .ip6(let ip): ip.scope == .loopback
        default: false
        }
    }
}
