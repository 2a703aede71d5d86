import DIGIdentity
import Testing

@testable import DIGNatTools

@Suite("Places for first attempts")
struct DialPlacesTests {
    @Test("there is room for so many at once, and a peer has one place")
    func room() throws {
        let peers = try (0..<DialPlaces.maximumCount).map { _ in try KeyPair.generate().peerID }
        var places = DialPlaces()
        for peer in peers {
            #expect(places.hasRoom)
            places.take(peer, isDoubtful: true)
            places.take(peer, isDoubtful: true)
        }
        #expect(!places.hasRoom && !places.triesUndoubted)
        places.leave(peers[0])
        places.leave(peers[0])
        #expect(places.hasRoom)
        places.take(peers[0], isDoubtful: false)
        #expect(!places.hasRoom && places.triesUndoubted)
        places.leave(peers[0])
        #expect(!places.triesUndoubted)
    }

    @Test("holders deliver until it is said that they do not, and none do when the last is gone")
    func delivery() {
        var places = DialPlaces()
        #expect(!places.hasDelivery)
        places.holderCame()
        #expect(places.hasDelivery)
        var news = [places.delivering(true), places.delivering(false)]
        #expect(news == [false, true] && !places.hasDelivery)
        news = [places.delivering(false), places.delivering(true)]
        #expect(news == [false, true] && places.hasDelivery)
        places.holderWent()
        #expect(!places.hasDelivery)
        places.holderWent()
        places.holderCame()
        #expect(places.hasDelivery)
    }
}
