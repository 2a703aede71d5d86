import DIGIdentity
import Testing

@testable import DIGPeerExchange

@Suite("Rates of requests")
struct RequestMeterTests {
    let now = ContinuousClock.now

    @Test("each kind of request has its own rate, for each peer and for all")
    func kinds() throws {
        var configuration = PeerExchangeConfiguration()
        configuration.queriesPerSecond = 120
        var meter = RequestMeter(configuration: configuration, now: self.now)
        func admitted(_ request: PeerExchangeRequest, _ peer: PeerID, _ count: Int, at now: ContinuousClock.Instant? = nil) -> Int {
            (0..<count).count { _ in meter.admit(request, from: peer, now: now ?? self.now) }
        }
        let (one, other, third) = (try Somebody().peer, try Somebody().peer, try Somebody().peer)
        #expect(admitted(.exchange(ExchangeMessage()), one, 100) == 6)
        #expect(admitted(.exchange(ExchangeMessage()), one, 100, at: self.now + .seconds(60)) == 6)
        #expect(admitted(.exchange(ExchangeMessage()), other, 100) == 6)
        #expect(admitted(.query(try .test(1)), one, 100) == 50)
        #expect(admitted(.query(try .test(1)), other, 100) == 50)
        // All together: 120 at once.
        #expect(admitted(.query(try .test(1)), third, 100) == 20)
        // A thousand announcements at once, in the largest messages: each counts, and the message.
        let full = PeerExchangeRequest.announce(AnnounceMessage(announcements: Array(repeating: [1], count: 64)))
        #expect((16...18).contains(admitted(full, one, 100)))
        #expect(admitted(full, one, 100, at: self.now + .seconds(60)) == 4)
    }

    @Test("accounts are bounded: when all are in use, newcomers have to wait until some are even")
    func accounts() throws {
        var configuration = PeerExchangeConfiguration()
        configuration.maximumMeteredPeers = 10
        var meter = RequestMeter(configuration: configuration, now: self.now)
        for _ in 0..<10 { #expect(meter.admit(.query(try .test(1)), from: try Somebody().peer, now: self.now) == true) }
        #expect(meter.admit(.query(try .test(1)), from: try Somebody().peer, now: self.now) == false)
        #expect(meter.admit(.query(try .test(1)), from: try Somebody().peer, now: self.now + .seconds(10)) == true)
        #expect(meter.count == 1)
    }
}
