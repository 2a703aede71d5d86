import DIGCommandLine
import DIGIdentity
import DIGNatTools

extension CommandContext {
    /// Says so if this node goes by a key of the moment, because another process uses its own: what it prints is worth nothing when it has ended.
    func warnOfTemporaryIdentity(of network: NetworkManager) throws {
        // The file alone: a second use of the database in one process would end its locks (POSIX: they go with any descriptor that is closed).
        let own = try KeyFile(path: try self.keyFile()).loadOrCreate().peerID
        guard network.identity.peerID != own else { return }
        self.console.warning(
            "another dig-nat runs with \(try self.dataDirectory()): until it ends, this one is \(network.identity.peerID) instead of \(own), and its addresses and links are good for this run only; for a second node take another --data-dir")
    }
}
