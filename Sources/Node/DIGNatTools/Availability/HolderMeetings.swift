import DIGAvailability
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGLocalDiscovery
import DIGNet
import DIGSwarm
import DIGTransfer

/// What a search and a fetch of one content tell of the holders that they meet, and whom they leave out.
struct HolderMeetings: Sendable {
    let content: ContentHash
    private let node: NodeAvailability
    private var manager: ContentAvailabilityManager { self.node.manager }

    init(_ content: ContentHash, in node: NodeAvailability) {
        self.content = content
        self.node = node
    }

    // MARK: Whom to use

    /// The usable ones among them, best first.
    ///
    /// - Parameter isNear: On this local network.
    func rank(_ peers: [PeerID], isNear: (PeerID) -> Bool) -> [HolderCandidate] {
        self.manager.rank(
            peers.map { peer in
                let path: HolderCandidate.Path =
                    switch self.node.swarm.connection(to: peer)?.isRelayed {
                    case false?: .connected
                    case true?: .relayed
                    case nil: self.node.path(to: peer)
                    }
                return HolderCandidate(peer, isLocal: isNear(peer), path: path, nat: self.node.nat(of: peer))
            }, for: self.content)
    }

    /// Why the peer is left out; nil if it is not.
    func reasonToLeaveOut(_ peer: PeerID) -> String? {
        guard let state = self.manager.holder(peer, of: self.content), state.status == .unavailable else { return nil }
        return state.reason
    }

    /// The peers whose status changes from now on.
    var changes: AsyncStream<PeerID> {
        let (events, content) = (self.manager.events, self.content)
        return AsyncStream { continuation in
            let task = Task {
                for await case .statusChanged(let peer, content, _, _, _) in events { continuation.yield(peer) }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    // MARK: What was met with

    /// Discovery has found a holder.
    func heard(_ holder: DiscoveredHolder) {
        self.node.note(holder.addresses, of: holder.peer)
        guard holder.isClaimed else { return }
        // Where there is no room for it, it is one whose claim nobody knows.
        do throws(AvailabilityError) { try self.manager.claimed(by: holder.peer, content: self.content) } catch {}
    }

    func connected(_ peer: PeerID) { self.manager.experienced(.connected, of: peer) }

    /// The peer was asked, and does not have it.
    func lacked(_ peer: PeerID) { self.conclude(HolderVerdict(failure: .notFound, isClaimed: self.isClaimed(peer), isOnline: true), peer) }

    /// It could not be reached in any attempt.
    func unreachable(_ peer: PeerID) {
        guard self.node.reachesOthers(than: peer) else { return }
        self.manager.experienced(.unreachable, of: peer, content: self.content)
    }

    /// It could not deliver.
    ///
    /// - Parameter isWhole: Others have delivered everything.
    func failed(_ peer: PeerID, _ error: TransferError, isWhole: Bool = false) {
        let isOnline = isWhole || self.node.reachesOthers(than: peer)
        self.conclude(HolderVerdict(failure: error.code, isClaimed: self.isClaimed(peer), isOnline: isOnline), peer)
    }

    /// It gave so much that was proven: it has it, whether anybody but a link says so or not.
    func transferred(_ byteCount: UInt64, over duration: Duration, from peer: PeerID) {
        // Where there is no room for it, its reputation grows all the same.
        do throws(AvailabilityError) { try self.manager.claimed(by: peer, content: self.content) } catch {}
        self.manager.experienced(.transferred(byteCount: byteCount, over: duration), of: peer, content: self.content)
    }

    private func isClaimed(_ peer: PeerID) -> Bool { self.manager.holder(peer, of: self.content)?.isClaimed ?? false }

    private func conclude(_ verdict: HolderVerdict, _ peer: PeerID) {
        switch verdict {
        case .nothing: break
        case .experience(let experience): self.manager.experienced(experience, of: peer, content: self.content)
        case .report(let reason): self.node.report(peer, self.content, reason)
        }
    }
}
