import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGNatTools

@Suite("How far a search is")
struct SearchProgressTests {
    @Test("a peer of the link counts once, however many addresses it has")
    func link() throws {
        let (one, other) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
        var progress = SearchProgress(
            link: try ["/ip4/192.0.2.1/tcp/1/p2p/\(one)", "/ip4/192.0.2.2/tcp/1/p2p/\(one)", "/ip4/192.0.2.3/tcp/1/p2p/\(other)", "/ip4/192.0.2.4/tcp/1"].map { try Multiaddr($0) },
            sources: [])
        for _ in 0..<3 {
            #expect(!progress.isLinkExhausted)
            progress.linkTried()
        }
        #expect(progress.isLinkExhausted)
        progress.linkTried()
        #expect(progress.isLinkExhausted)
        #expect(SearchProgress(link: [], sources: [.dht]).isLinkExhausted)
    }

    @Test("discovery is exhausted when each way has answered and everybody that was named was asked")
    func discovery() {
        #expect(SearchProgress(link: [], sources: []).isDiscoveryExhausted)
        var progress = SearchProgress(link: [], sources: [.dht, .gossip])
        progress.askingBegins()
        progress.answered(.dht)
        progress.answered(.dht)
        #expect(!progress.hasAnswers)
        progress.answered(.gossip)
        #expect(progress.hasAnswers && !progress.isDiscoveryExhausted)
        progress.askingEnds()
        #expect(progress.isDiscoveryExhausted)
        progress.askingBegins()
        #expect(!progress.isDiscoveryExhausted)
    }
}
