import DIGDiscovery
import DIGMultiformats

/// How far a search for holders has come: who of the link was tried, which ways of discovery have answered, and how many candidates are being asked for
/// the first time.
///
/// A value: whoever runs the search tells what happens, once for each.
struct SearchProgress: Hashable, Sendable {
    private var untriedCount: Int
    private var silent: Set<DiscoverySource>
    private var askingCount = 0

    /// - Parameters:
    ///   - link: Addresses. A peer counts once, however many it has, and so does an address without a peer.
    ///   - sources: The ways of discovery that will be asked.
    init(link: [Multiaddr], sources: Set<DiscoverySource>) {
        self.untriedCount = Set(link.map { $0.peerID?.description ?? $0.description }).count
        self.silent = sources
    }

    /// Whether everybody of the link was tried once, or it names nobody.
    var isLinkExhausted: Bool { self.untriedCount == 0 }

    /// Whether each way of discovery has answered once, or will not be asked.
    var hasAnswers: Bool { self.silent.isEmpty }

    /// Whether, beyond that, everybody they have named was asked.
    var isDiscoveryExhausted: Bool { self.hasAnswers && self.askingCount == 0 }

    /// A peer, or an address, of the link was tried for the first time.
    mutating func linkTried() { self.untriedCount = max(0, self.untriedCount - 1) }

    /// The way of discovery has answered; again makes no difference.
    mutating func answered(_ source: DiscoverySource) { self.silent.remove(source) }

    /// Somebody is to be asked for the first time.
    mutating func askingBegins() { self.askingCount += 1 }

    /// It was asked, could not be reached, or is left out.
    mutating func askingEnds() { self.askingCount = max(0, self.askingCount - 1) }
}
