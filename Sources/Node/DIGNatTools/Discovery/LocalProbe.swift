import DIGAnnouncement
import DIGContent
import DIGDiscovery
import DIGNet
import DIGSwarm
import DIGTransfer

/// Asks a peer of the local network that does not answer for contents whether it has one.
enum LocalProbe {
    static func make(_ swarm: Swarm) -> LocalMechanism.Probe {
        { peer, addresses, key in
            guard let digest = SHA256Digest(bytes: key.bytes) else { return nil }
            do {
                let connection = try await swarm.connect(to: peer, addresses: addresses)
                switch try await TransferQuery(to: connection).description(of: ContentHash(digest: digest)) {
                case .file, .folder: return true
                // The key may be a name's, which is asked for in another way: a candidate still.
                case .notHeld, .refused: return nil
                }
            } catch let error as ConnectionError where error.code == .noCommonProtocol {
                // Some other software, which has no contents of ours.
                return false
            } catch {
                return nil
            }
        }
    }
}
