@testable import DIGPortMapping
import DIGMultiformats
import Testing

@Suite("SSDP")
struct SSDPTests {
    typealias Machine = SSDPSearchStateMachine
    static let gateway = IPv4Address(192, 168, 1, 1)
    let start = ContinuousClock.Instant.now

    static func answer(_ location: String, target: String = Machine.searchTargets[1]) -> [UInt8] {
        Array("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: \(target)\r\nLocation:  \(location) \r\nEXT:\r\n\r\n".utf8)
    }

    func machine() -> Machine {
        Machine(gateway: Self.gateway, now: self.start, timeout: .seconds(3))
    }

    func result(_ machine: Machine) -> [String] {
        var machine = machine
        while let deadline = machine.deadline {
            if case .finish(let urls) = machine.deadlineReached(now: deadline) { return urls.map(\.description) }
        }
        return []
    }

    @Test("an answer is read; no strict prefix is one")
    func reads() {
        let bytes = Self.answer("http://192.168.1.1:5000/root.xml")
        #expect(SSDPResponse(bytes)?.location.description == "http://192.168.1.1:5000/root.xml")
        #expect(SSDPResponse(bytes)?.searchTarget == Machine.searchTargets[1])
        for count in 0..<bytes.count { #expect(SSDPResponse(Array(bytes.prefix(count))) == nil) }
    }

    @Test("other messages are not", arguments: [
        "NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n\r\n", "HTTP/1.1 404 OK\r\nLOCATION: http://192.168.1.1/\r\n\r\n", "HTTP/1.1 200 OK\r\nST: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1/\r\nLOCATION: http://192.168.1.2/\r\n\r\n", "HTTP/1.1 200 OK\r\nLOCATION: http://example.com/\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
    ])
    func refuses(text: String) {
        #expect(SSDPResponse(Array(text.utf8)) == nil)
    }

    @Test("long messages and many lines are refused")
    func limits() {
        #expect(SSDPResponse(Self.answer("http://192.168.1.1/", target: String(repeating: "a", count: 2048))) == nil)
        #expect(SSDPResponse(Array(("HTTP/1.1 200 OK\r\n" + String(repeating: "a:b\r\n", count: 64) + "LOCATION: http://192.168.1.1/\r\n\r\n").utf8)) == nil)
    }

    @Test("searches three times, then says that there is none")
    func schedule() {
        var machine = self.machine()
        var times: [Duration] = []
        while let deadline = machine.deadline {
            switch machine.deadlineReached(now: deadline) {
            case .search: times.append(deadline - self.start)
            case .finish(let urls): #expect(urls.isEmpty && deadline == self.start + .seconds(3))
            case .none: Issue.record("a deadline without anything to do")
            }
        }
        #expect(times == Machine.transmissionTimes)
    }

    @Test("the gateway's answer is enough")
    func gatewayAnswers() {
        var machine = self.machine()
        machine.received(Self.answer("http://192.168.1.1:80/a"), from: Self.gateway, now: self.start)
        machine.received(Self.answer("http://192.168.1.1:80/a"), from: Self.gateway, now: self.start)
        machine.received(Self.answer("http://192.168.1.1:5000/b"), from: Self.gateway, now: self.start)
        #expect(machine.deadline == self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.deadline == self.start + Machine.settlingTime)
        #expect(self.result(machine) == ["http://192.168.1.1/a", "http://192.168.1.1:5000/b"])
    }

    @Test("a location on any host but the gateway is refused", arguments: [
        "http://192.168.1.9:80/", "http://127.0.0.1:80/", "http://169.254.169.254/", "http://93.184.216.34/", "http://192.168.1.1.evil/", "http://0.0.0.0/",
    ])
    func thirdParty(location: String) {
        var machine = self.machine()
        let refused = machine.received(Self.answer(location), from: Self.gateway, now: self.start)
        // A name is no location at all.
        #expect((refused == nil) == location.contains("evil"))
        #expect(self.result(machine).isEmpty)
    }

    @Test("an answer from any host but the gateway is ignored", arguments: [
        IPv4Address(192, 168, 1, 7), IPv4Address(192, 168, 2, 1), IPv4Address(93, 184, 216, 34), .loopback, IPv4Address(169, 254, 169, 254), .any, .broadcast,
    ])
    func outside(source: IPv4Address) {
        var machine = self.machine()
        machine.received(Self.answer("http://\(source)/"), from: source, now: self.start)
        #expect(self.result(machine).isEmpty)
    }

    @Test("a flood neither grows nor keeps the gateway's answer out")
    func flood() {
        var machine = self.machine()
        for index in 0..<1_000 {
            machine.received(Self.answer("http://192.168.1.7/\(index)"), from: IPv4Address(192, 168, 1, 7), now: self.start)
        }
        for index in 0..<10_000 { machine.received(Self.answer("http://192.168.1.1/x\(index)"), from: Self.gateway, now: self.start) }
        let result = self.result(machine)
        #expect(result.count == Machine.maximumCandidateCount)
        #expect(result.first == "http://192.168.1.1/x0")
    }
}
