@testable import DIGPortMapping
import DIGMultiformats
import DIGNet
import Testing

@Suite("Mappings at a gateway")
struct MappingSessionTests {
    static func ip(_ text: String) -> IPAddress { IPv4Address(text).map { .v4($0) } ?? .v4(.any) }

    static func configuration(_ methods: [PortMapping.Method] = [.pcp, .natpmp, .upnp]) -> PortMapperConfiguration {
        var configuration = PortMapperConfiguration()
        configuration.methods = methods
        return configuration
    }

    /// With one mapping held by `method`.
    static func holding(_ method: PortMapping.Method, lifetime: UInt32 = 3600, epoch: UInt32? = nil) -> SessionDriver {
        var driver = SessionDriver(Self.configuration([method]))
        driver.add()
        driver.answerProbe(method, epoch: epoch)
        driver.grant(lifetime: lifetime, epoch: epoch)
        driver.events = []
        return driver
    }

    // MARK: Choosing

    @Test("all protocols are looked for at once; the best one maps as soon as it answers")
    func best() {
        var driver = SessionDriver()
        driver.add()
        #expect(driver.pending.map(\.operation) == [.probe(.pcp), .probe(.natpmp), .probe(.upnp)])
        driver.answerProbe(.pcp, epoch: 1)
        #expect(driver.grant() == .pcp)
        guard case .mapped(let mapping) = driver.events.last else {
            Issue.record("it is mapped")
            return
        }
        #expect(mapping.external.description == "/ip4/11.0.0.2/tcp/4001")
        #expect(mapping.internal.description == "/ip4/192.168.1.2/tcp/4001")
        #expect(mapping.isPublic && mapping.method == .pcp && mapping.lifetime == .seconds(3600))
        // The others' answers change nothing.
        driver.answerProbe(.natpmp, epoch: 1, address: SessionDriver.external)
        driver.answerProbe(.upnp)
        #expect(driver.pending.isEmpty)
        #expect(driver.session.status.findings.map(\.outcome) == [.available, .available, .available])
        #expect(driver.session.status.findings.map(\.device) == [nil, nil, "ACME"])
    }

    @Test("a lesser protocol waits a moment for a better one, and not longer")
    func grace() {
        var driver = SessionDriver()
        driver.add()
        driver.answerProbe(.natpmp)
        #expect(driver.orders.isEmpty)
        driver.run(until: .milliseconds(299))
        #expect(driver.orders.isEmpty)
        driver.run(until: .milliseconds(300))
        #expect(driver.orders.map(\.method) == [.natpmp])
    }

    @Test("a lesser protocol is used at once when the better ones are known not to be there")
    func settled() {
        var driver = SessionDriver()
        driver.add()
        driver.failProbe(.pcp, .notSupported)
        driver.failProbe(.natpmp, .notSupported)
        #expect(driver.orders.isEmpty)
        driver.answerProbe(.upnp)
        #expect(driver.orders.map(\.method) == [.upnp])
        #expect(driver.orders.first?.service == driver.service)
    }

    @Test("a refusal leads to the next protocol, and the report has every reason in order")
    func allRefuse() {
        var driver = SessionDriver()
        driver.add()
        driver.answerProbe(.upnp)
        driver.failProbe(.natpmp)
        driver.answerProbe(.pcp)
        #expect(driver.refuse(.outOfResources) == .pcp)
        #expect(driver.refuse(.refused) == .upnp)
        guard case .failed(let failure) = driver.events.last else {
            Issue.record("it has failed")
            return
        }
        #expect(failure.attempts.map(\.method) == [.pcp, .natpmp, .upnp])
        #expect(failure.attempts.map(\.error.code) == [.outOfResources, .unresponsive, .refused])
        #expect(driver.session.status.failures == [failure])
    }

    @Test("tries again later and later, and again quickly after a success")
    func backOff() {
        var driver = SessionDriver(Self.configuration([.natpmp]))
        driver.add()
        driver.failProbe(.natpmp)
        var rounds: [Duration] = []
        driver.run(until: .seconds(4000)) { driver in
            if driver.failProbe(.natpmp) { rounds.append(driver.time) }
        }
        let expected: [Duration] = [.seconds(30), .seconds(90), .seconds(210), .seconds(450), .seconds(930), .seconds(1830)]
        #expect(Array(rounds.prefix(6)) == expected)
        #expect(driver.events.filter { if case .failed = $0 { true } else { false } }.count == rounds.count + 1)
        // Said once, not in every round.
        #expect(driver.events.filter { if case .found = $0 { true } else { false } }.count == 1)
        driver.run(until: .seconds(4700)) { driver in
            driver.answerProbe(.natpmp)
            driver.grant(lifetime: 100)
        }
        #expect(driver.session.mappings.count == 1)
    }

    @Test("a request may name its protocols")
    func restricted() {
        var driver = SessionDriver()
        driver.add(.init(protocol: .udp, internalPort: 4001, methods: [.upnp]))
        driver.answerProbe(.pcp)
        driver.answerProbe(.natpmp)
        #expect(driver.orders.isEmpty)
        driver.answerProbe(.upnp)
        #expect(driver.grant() == .upnp)
        #expect(driver.session.mappings.first?.external.description == "/ip4/11.0.0.2/udp/4001")
    }

    @Test("an IPv6 gateway is asked by PCP only, and the hole is the mapping")
    func pinhole() throws {
        let own = IPAddress.v6(try #require(IPv6Address("2a00:1::2")))
        var driver = SessionDriver(gateway: .v6(try #require(IPv6Address("fe80::1"))), local: own)
        driver.add()
        #expect(driver.pending.map(\.operation) == [.probe(.pcp)])
        driver.answerProbe(.pcp)
        driver.grant(own)
        #expect(driver.session.mappings.first?.external.description == "/ip6/2a00:1::2/tcp/4001")
        #expect(driver.session.mappings.first?.family == .ip6)
        #expect(driver.session.status.address.description == "/ip6zone/lan/ip6/fe80::1")
    }

    @Test("an address of the other family is no answer")
    func wrongFamily() throws {
        var driver = SessionDriver(Self.configuration([.pcp]))
        driver.add()
        driver.answerProbe(.pcp)
        driver.grant(.v6(try #require(IPv6Address("2a00:1::2"))))
        guard case .failed(let failure) = driver.events.last else {
            Issue.record("it has failed")
            return
        }
        #expect(failure.attempts.map(\.error.code) == [.noExternalAddress])
    }

    // MARK: Keeping

    @Test("renews at half the life, with the port it had (RFC 6886 §3.3)")
    func renews() {
        var driver = Self.holding(.natpmp)
        var renewals: [Duration] = []
        driver.run(until: .seconds(5500)) { driver in
            driver.answerCheck(address: SessionDriver.external)
            if driver.orders.first?.externalPort == 4001, driver.grant() != nil { renewals.append(driver.time) }
        }
        #expect(renewals == [.seconds(1800), .seconds(3600), .seconds(5400)])
        #expect(driver.events.allSatisfy { if case .renewed = $0 { true } else { false } })
        #expect(driver.events.count == 3)
    }

    @Test("a renewal without an answer is repeated until the mapping expires")
    func expires() {
        var driver = Self.holding(.natpmp, lifetime: 100)
        var attempts: [Duration] = []
        driver.run(until: .seconds(99)) { driver in
            driver.answerCheck()
            if driver.refuse(.unresponsive) != nil { attempts.append(driver.time) }
        }
        #expect(attempts.first == .seconds(50) && attempts.count > 2)
        #expect(driver.events.isEmpty && driver.session.mappings.count == 1)
        driver.run(until: .seconds(100)) { $0.refuse(.unresponsive) }
        guard case .lost(_, let error)? = driver.events.first else {
            Issue.record("it is lost")
            return
        }
        #expect(error.code == .unresponsive || error.code == .expired)
        #expect(driver.session.mappings.isEmpty)
    }

    @Test("a renewal that hangs does not outlive the mapping")
    func hangs() {
        var driver = Self.holding(.natpmp, lifetime: 100)
        driver.run(until: .seconds(100)) { $0.answerCheck() }
        guard case .lost(_, let error)? = driver.events.first else {
            Issue.record("it is lost")
            return
        }
        #expect(error.code == .expired)
        // The late grant belongs to nobody; the next request is open.
        #expect(driver.orders.count == 2)
        driver.grant()
        #expect(driver.session.mappings.isEmpty)
        driver.grant()
        #expect(driver.session.mappings.count == 1)
    }

    @Test("a refused renewal loses the mapping, and another protocol is tried")
    func refusedRenewal() {
        var driver = SessionDriver(Self.configuration([.pcp, .upnp]))
        driver.add()
        driver.answerProbe(.pcp)
        driver.answerProbe(.upnp)
        driver.grant(lifetime: 100)
        driver.run(until: .seconds(50)) { $0.answerCheck() }
        #expect(driver.refuse(.refused) == .pcp)
        guard case .lost(_, let error)? = driver.events.last else {
            Issue.record("it is lost")
            return
        }
        #expect(error.code == .refused)
        #expect(driver.refuse(.refused) == .pcp)
        #expect(driver.grant() == .upnp)
    }

    @Test("absurd lifetimes neither spin nor last for ever", arguments: [1, 2, 3, UInt32.max - 1, .max])
    func lifetimes(lifetime: UInt32) {
        var driver = Self.holding(.pcp, lifetime: lifetime)
        let before = driver.asked.count
        driver.run(until: .seconds(600)) { driver in
            driver.answerCheck()
            driver.grant(lifetime: lifetime)
        }
        #expect(driver.asked.count - before <= 330)
        #expect(driver.session.mappings.first?.lifetime.map { $0 <= .seconds(86400) } == true)
        driver.run(until: .seconds(43300)) { driver in
            driver.answerCheck()
            driver.grant(lifetime: lifetime)
        }
        #expect(driver.events.contains { if case .renewed = $0 { true } else { false } })
    }

    @Test("a permanent mapping is looked after, written again and deleted")
    func permanent() {
        var driver = Self.holding(.upnp, lifetime: 0)
        #expect(driver.session.mappings.first?.lifetime == nil && driver.session.mappings.count == 1)
        driver.run(until: .seconds(3600)) { $0.answerCheck(address: SessionDriver.external) }
        #expect(driver.asked.filter { if case .check = $0.operation { true } else { false } }.count == 120)
        #expect(driver.grant(lifetime: 0) == .upnp)
        #expect(driver.session.stop().count == 1)
    }

    // MARK: Changes

    @Test("a gateway that has restarted gets every mapping again, with the same ports", arguments: [PortMapping.Method.pcp, .natpmp])
    func restart(method: PortMapping.Method) {
        var driver = SessionDriver(Self.configuration([method]))
        driver.add(id: 0)
        driver.add(.init(protocol: .udp, internalPort: 4002), id: 1)
        driver.answerProbe(method, epoch: 1000)
        driver.grant(port: 5001, epoch: 1000)
        driver.grant(port: 5002, epoch: 1000)
        driver.events = []
        driver.run(until: .seconds(30))
        let isAsked = driver.answerCheck(epoch: 3)
        #expect(isAsked)
        #expect(driver.events == [.gatewayRestarted(method)])
        #expect(driver.orders.map(\.externalPort) == [5001, 5002])
        driver.grant(epoch: 3)
        driver.grant(SessionDriver.external, port: 6002, epoch: 3)
        guard case .renewed? = driver.events.dropFirst().first, case .externalAddressChanged(let from, let to)? = driver.events.last else {
            Issue.record("one is renewed, one has moved")
            return
        }
        #expect(from.external.description == "/ip4/11.0.0.2/udp/5002" && to.external.description == "/ip4/11.0.0.2/udp/6002")
    }

    @Test("a clock that goes wild does not make us spin")
    func wildClock() {
        var driver = SessionDriver(Self.configuration([.pcp]))
        for id in 0..<8 { driver.add(.init(protocol: .tcp, internalPort: 4000 + UInt16(id)), id: UInt64(id)) }
        driver.answerProbe(.pcp, epoch: 1000)
        var epoch: UInt32 = 1_000_000
        for _ in 0..<1000 where driver.grant(epoch: epoch) != nil { epoch -= 1000 }
        #expect(driver.orders.isEmpty)
        let before = driver.asked.count
        driver.run(until: .seconds(300)) { driver in
            epoch = epoch > 2000 ? epoch - 1000 : 4_000_000
            driver.answerCheck(epoch: epoch)
            for _ in 0..<100 { driver.grant(epoch: epoch) }
        }
        // At most all mappings every three seconds.
        #expect(driver.asked.count - before <= 8 * 100 + 20)
    }

    @Test("an announcement makes the check sooner, a flood of them does not make more than one a second")
    func announcement() {
        var driver = Self.holding(.natpmp, epoch: 1000)
        driver.run(until: .seconds(10))
        let before = driver.asked.count
        for _ in 0..<1000 { driver.session.announced(now: driver.now) }
        driver.drain()
        #expect(driver.asked.count == before + 1)
        let isAsked = driver.answerCheck(epoch: 1)
        #expect(isAsked)
        #expect(driver.events == [.gatewayRestarted(.natpmp)])
        for _ in 0..<1000 { driver.session.announced(now: driver.now) }
        driver.drain()
        let isAskedAgain = driver.answerCheck()
        #expect(!isAskedAgain)
    }

    @Test("a mapping that is not in the table any more is made again")
    func removedByGateway() {
        var driver = Self.holding(.upnp)
        driver.run(until: .seconds(30))
        driver.answerCheck(address: SessionDriver.external, missing: [.init(rawValue: 0)])
        guard case .lost(_, let error)? = driver.events.last else {
            Issue.record("it is lost")
            return
        }
        #expect(error.code == .removedByGateway)
        #expect(driver.grant() == .upnp)
        guard case .mapped? = driver.events.last else {
            Issue.record("it is mapped again")
            return
        }
    }

    @Test("a changed external address is reported", arguments: [PortMapping.Method.natpmp, .upnp])
    func addressChange(method: PortMapping.Method) {
        var driver = Self.holding(method)
        driver.run(until: .seconds(30))
        driver.answerCheck(address: Self.ip("11.0.0.9"))
        guard case .externalAddressChanged(let from, let to)? = driver.events.last, driver.events.count == 1 else {
            Issue.record("it is reported once")
            return
        }
        #expect(from.external.description == "/ip4/11.0.0.2/tcp/4001" && to.external.description == "/ip4/11.0.0.9/tcp/4001")
        #expect(driver.session.mappings == [to])
    }

    @Test("a UPnP gateway that is silent is looked for again, and everything is mapped again when it is back")
    func silence() {
        var driver = Self.holding(.upnp)
        for seconds in [30, 60] {
            driver.run(until: .seconds(seconds))
            driver.answer(.failure(PortMappingError(.unresponsive, ""))) { if case .check = $0 { true } else { false } }
        }
        driver.run(until: .seconds(90))
        #expect(driver.pending.map(\.operation) == [.probe(.upnp)])
        driver.failProbe(.upnp)
        driver.run(until: .seconds(120))
        #expect(driver.session.mappings.count == 1)
        driver.answerProbe(.upnp)
        #expect(driver.grant() == .upnp)
    }

    // MARK: Addresses

    @Test("a private or carrier's external address is a double NAT, said once", arguments: ["10.0.0.7", "100.64.1.2", "192.168.7.2", "203.0.113.5", "198.18.0.1"])
    func doubleNAT(text: String) {
        var driver = SessionDriver(Self.configuration([.natpmp]))
        driver.add()
        driver.answerProbe(.natpmp, address: Self.ip(text))
        driver.grant(Self.ip(text))
        let reports = driver.events.filter { if case .doubleNAT = $0 { true } else { false } }
        #expect(reports == [.doubleNAT(external: Self.ip(text).multiaddr)])
        #expect(driver.session.mappings.first?.isPublic == false)
        #expect(driver.session.status.isDoubleNAT)
    }

    @Test("a double NAT is said also when the gateway refuses the mapping")
    func doubleNATRefused() {
        var driver = SessionDriver(Self.configuration([.natpmp]))
        driver.add()
        driver.answerProbe(.natpmp, address: Self.ip("100.64.1.2"))
        driver.refuse(.outOfResources)
        #expect(driver.events.contains(.doubleNAT(external: Self.ip("100.64.1.2").multiaddr)))
        #expect(driver.session.status.isDoubleNAT && driver.session.mappings.isEmpty)
    }

    @Test("documentation addresses are public where a laboratory wants that")
    func documentation() {
        var configuration = Self.configuration([.natpmp])
        configuration.addressPolicy.treatsDocumentationAsPublic = true
        var driver = SessionDriver(configuration)
        driver.add()
        driver.answerProbe(.natpmp)
        driver.grant(Self.ip("203.0.113.5"))
        #expect(driver.session.mappings.first?.isPublic == true && !driver.session.status.isDoubleNAT)
    }

    @Test(
        "an external address that cannot be is refused, and the mapping deleted",
        arguments: ["127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1", "0.1.2.3"])
    func impossible(text: String) {
        var driver = SessionDriver(Self.configuration([.natpmp]))
        driver.add()
        driver.answerProbe(.natpmp, address: Self.ip(text))
        driver.grant(Self.ip(text), port: 5555)
        #expect(driver.deletions.map(\.externalPort) == [5555])
        guard case .failed(let failure)? = driver.events.last else {
            Issue.record("it has failed")
            return
        }
        #expect(failure.attempts.map(\.error.code) == [.noExternalAddress])
        #expect(driver.session.status.externalAddress == nil && driver.session.mappings.isEmpty)
    }

    @Test("another port than the one required is given back")
    func exactPort() {
        var driver = SessionDriver(Self.configuration([.pcp]))
        driver.add(.init(protocol: .tcp, internalPort: 4001, suggestedExternalPort: 80, requiresExternalPort: true))
        driver.answerProbe(.pcp)
        driver.grant(port: 8080)
        #expect(driver.deletions.map(\.externalPort) == [8080])
        #expect(driver.session.mappings.isEmpty)
    }

    // MARK: Ends

    @Test("a request taken back is deleted, also when its grant comes later")
    func remove() {
        var driver = Self.holding(.pcp)
        driver.session.remove(.init(rawValue: 0))
        driver.drain()
        #expect(driver.deletions.count == 1 && driver.session.mappings.isEmpty && driver.events.isEmpty)
        driver.answer(.success(.unmapped)) { if case .unmap = $0 { true } else { false } }
        guard case .removed? = driver.events.last else {
            Issue.record("it is removed")
            return
        }
        var other = SessionDriver(Self.configuration([.pcp]))
        other.add()
        other.answerProbe(.pcp)
        other.session.remove(.init(rawValue: 0))
        #expect(other.deletions.isEmpty)
        other.grant()
        #expect(other.deletions.count == 1 && other.session.mappings.isEmpty)
    }

    @Test("at the end everything held, or perhaps granted, is deleted")
    func stop() {
        var driver = Self.holding(.pcp)
        driver.add(.init(protocol: .udp, internalPort: 4002), id: 1)
        #expect(driver.session.stop().count == 2)
        // Late answers are harmless.
        driver.grant()
        #expect(driver.session.mappings.isEmpty && driver.session.deadline == nil)
    }

    @Test("a gateway that is not ours any more loses its mappings")
    func abandon() {
        var driver = Self.holding(.pcp)
        driver.session.abandon()
        driver.drain()
        guard case .lost(_, let error)? = driver.events.last else {
            Issue.record("it is lost")
            return
        }
        #expect(error.code == .gatewayChanged && driver.deletions.isEmpty)
    }
}
