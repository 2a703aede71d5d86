import DIGAnnouncement
import Testing

@testable import DIGPeerExchange

@Suite("Own announcements")
struct OwnAnnouncementsTests {
    let me: Somebody
    init() throws { self.me = try Somebody() }

    func keys(_ own: OwnAnnouncements, after serial: UInt64, limit: Int = .max) -> (keys: [RendezvousKey], last: UInt64) {
        var keys: [RendezvousKey] = []
        let last = own.each(after: serial) { signed in
            guard keys.count < limit else { return false }
            keys.append(signed.announcement.key)
            return true
        }
        return (keys, last)
    }

    @Test("come in order, each key once, from where the reader was")
    func order() throws {
        var own = OwnAnnouncements(maximumCount: 3)
        let keys = try (0..<4).map { try RendezvousKey.test($0) }
        for key in keys.prefix(3) { #expect(own.add(try self.me.announcement(key, at: 1)) == .taken) }
        #expect(own.add(try self.me.announcement(keys[3], at: 1)) == .refused)
        #expect(own.add(try self.me.announcement(keys[0], at: 1)) == .known)
        #expect(own.add(try self.me.announcement(keys[0], at: 2, isAvailable: false)) == .taken)
        #expect(own.count == 3)
        #expect(self.keys(own, after: 0).keys == [keys[1], keys[2], keys[0]])
        let some = self.keys(own, after: 0, limit: 1)
        #expect(some.keys == [keys[1]])
        #expect(self.keys(own, after: some.last).keys == [keys[2], keys[0]])
        #expect(self.keys(own, after: own.lastSerial).keys.isEmpty)
        #expect(own[keys[0]]?.announcement.isAvailable == false)
    }

    @Test("are forgotten when they are over, and announcing the same again and again does not grow the log")
    func bounds() throws {
        var own = OwnAnnouncements(maximumCount: 3)
        let key = try RendezvousKey.test(1)
        for time in 1...500 { #expect(own.add(try self.me.announcement(key, at: UInt64(time), lifetime: .seconds(60))) == .taken) }
        #expect(self.keys(own, after: 0).keys == [key])
        #expect(own.logCount < 70)
        own.expire(nowMilliseconds: 60_499)
        #expect(own.count == 1)
        own.expire(nowMilliseconds: 60_500)
        #expect(own.count == 0)
        #expect(self.keys(own, after: 0).keys.isEmpty)
    }
}
