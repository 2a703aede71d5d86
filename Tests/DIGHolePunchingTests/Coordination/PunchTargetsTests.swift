import DIGMultiformats
import Testing

@testable import DIGHolePunching

@Suite("whom punches aim at")
struct PunchTargetsTests {
    @Test("so many punches at one IPv4 address or IPv6 /64, whichever the port; others are not held up")
    func bounds() throws {
        let targets = PunchTargets(maximumPerHost: 2)
        let (one, same) = (try Multiaddr("/ip4/1.1.1.1/tcp/1"), try Multiaddr("/ip6/::ffff:1.1.1.1/tcp/2"))
        let (six, near, far) = (try Multiaddr("/ip6/2606:4700:0:1::1/tcp/1"), try Multiaddr("/ip6/2606:4700:0:1:2::9/tcp/1"), try Multiaddr("/ip6/2606:4700:0:2::1/tcp/1"))
        // A punch at several ports of a machine is one.
        #expect(targets.take([one, same, six]) == [one, same, six])
        #expect(targets.take([same, near]) == [same, near])
        #expect(targets.take([one, six, far]) == [far])
        #expect(targets.take([try Multiaddr("/dns4/example.com/tcp/1")]) == [])
        targets.release([same, near])
        #expect(targets.take([one, six]) == [one, six])
        targets.release([one, same, six])
        targets.release([one, six])
        targets.release([far])
        #expect(targets.count == 0)
    }
}
