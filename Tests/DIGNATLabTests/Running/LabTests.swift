#if os(Linux)
import Foundation
import Testing

@testable import DIGNATLab

/// These build real labs: as root only.
@Suite("Lab", .serialized)
struct LabTests {
    /// Whether to go on; says in one line why not.
    private func isPossible(_ name: String = #function) -> Bool {
        if Lab.isPermitted { return true }
        print("DIGNATLabTests: \(name) needs root: not run")
        return false
    }

    private func expectNothingLeft(of id: String) {
        #expect(Namespaces.all.filter { LabRecord.id(ofNamespace: $0) == id } == [])
        #expect(LabStore.standard.record(of: id) == nil)
        #expect(!FileManager.default.fileExists(atPath: LabStore.standard.folder(of: id)))
    }

    @Test("NATs are as named, programs run on hosts, holes are punched, and nothing is left", .timeLimit(.minutes(2)))
    func whole() async throws {
        guard self.isPossible() else { return }
        let link = LinkPlan(delay: .milliseconds(10))
        let plan = LabPlan(
            publicHosts: [PublicHostPlan("relay")],
            homes: [
                HomePlan("a", nat: .portRestricted, hostCount: 2, link: link), HomePlan("b", nat: .fullCone, upnp: true, link: link),
                HomePlan("c", nat: .cgnatSymmetric, link: link),
            ])
        let (id, pids) = try await Lab.with(plan) { lab in
            let verdicts = try await lab.verify()
            #expect(verdicts.map(\.home) == ["a", "b", "c"])
            #expect(verdicts.flatMap(\.differences) == [])

            let output = try await lab.host("a").run(["sh", "-c", "echo $NATLAB_HOST; ip -4 -o addr show eth0; echo $HOME"])
            #expect(output.standardOutput.hasPrefix("a\n"))
            #expect(output.standardOutput.contains("192.168.10.11/24"))
            #expect(output.standardOutput.hasSuffix(lab.homeFolder(of: "a") + "\n"))

            let capture = try await lab.host("relay").capture(to: lab.homeFolder(of: "relay") + "/packets.pcap", filter: "tcp")
            let (a, b) = try await lab.punch("a", "b", transport: .tcp, listens: false)
            #expect(a.isConnected && b.isConnected)
            #expect((a.punchedMilliseconds ?? 0) >= 40)
            let (c, d) = try await lab.punch("a", "c", transport: .udp, listens: true, timeLimit: .milliseconds(500))
            #expect(c.wasIntroduced && !c.isConnected && !d.isConnected)
            let captured = await capture.terminate()
            #expect(captured.exit == .code(0))
            #expect(FileManager.default.contents(atPath: lab.homeFolder(of: "relay") + "/packets.pcap")?.count ?? 0 >= 24)

            let before = try await lab.externalAddress(of: "b")
            try await lab.reboot("b")
            let after = try await lab.externalAddress(of: "b")
            #expect(before != after)
            let report = try await lab.probe("b")
            #expect(report.udp.external.allSatisfy { $0.hasPrefix(after + ":") })
            #expect(!report.udp.external.isEmpty)
            try await lab.setLink(of: "c", up: false)
            #expect(try await lab.probe("c").tcp.isBlocked)
            try await lab.setLink(of: "c", up: true)
            #expect(try await !lab.probe("c").tcp.isBlocked)
            try await lab.forgetMappings(of: "a")
            #expect(try await lab.verify(homes: ["a"]).allSatisfy(\.isAsNamed))

            let sleeper = try await lab.host("a").start(["sh", "-c", "echo on; exec sleep 600"])
            _ = try await sleeper.line { $0.text == "on" }
            return (lab.id, Namespaces.processes(in: Namespaces.all.filter { LabRecord.id(ofNamespace: $0) == lab.id }))
        }
        self.expectNothingLeft(of: id)
        #expect(pids.count >= 4)
        for pid in pids { #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)/ns/net") || !Self.isOfLab(pid)) }
    }

    private static func isOfLab(_ pid: Int32) -> Bool {
        let name = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
        return ["natlab", "miniupnpd", "sleep"].contains { name.hasPrefix($0) }
    }

    @Test("the matrix drives a relay, a share and a get, and tells who won", .timeLimit(.minutes(1)))
    func productMatrix() async throws {
        guard self.isPossible() else { return }
        // Stands in for the product: hosts share a file system, so "get" is a copy.
        var commands = ProductCommands()
        commands.relay = ["sh", "-c", "echo listening on /ip4/${relay.ip}/tcp/4001/p2p/abc; exec sleep 600"]
        commands.share = ["sh", "-c", "test ${relay} = /ip4/203.0.113.10/tcp/4001/p2p/abc && echo '{\"link\":\"dig:${file}\"}'; exec sleep 600"]
        commands.get = [
            "sh", "-c",
            #"""
            echo '{"event":"path","layer":"relay","direct":false}'
            case $NATLAB_HOST in b-symmetric) ;; *) echo '{"event":"path","layer":"tcp-punch","direct":true}';; esac
            case $NATLAB_HOST in b-web-only) exit 7;; esac
            link='${link}'; cp "${link#dig:}" '${output}'
            """#.replacing("${link#dig:}", with: "$(echo $link | cut -c5-)"),
        ]
        var matrix = Matrix(rows: [.portRestricted], columns: [.portRestricted, .symmetric, .webOnly], measurement: .product(commands, byteCount: 4096))
        matrix.delay = .zero
        let (configured, cells) = (matrix, Locked(0))
        let table = try await Lab.with(matrix.plan) { lab in try await configured.measure(in: lab) { _ in cells.withLock { $0 += 1 } } }
        #expect(table.cells.map(\.layer) == ["tcp-punch", "relay", nil])
        #expect(table.cells.map(\.isDirect) == [true, false, false])
        #expect(table.cells.map(\.isAsExpected) == [true, true, false])
        #expect(table.cells.last?.detail?.hasPrefix("get: exit code 7") == true)
        #expect(cells.withLock { $0 } == 3)
    }

    @Test("two labs stand side by side, and a scenario runs in one", .timeLimit(.minutes(1)))
    func scenario() async throws {
        guard self.isPossible() else { return }
        let scenario = try ScenarioFile(
            text: """
                [[home]]
                name = "alice"
                nat = "symmetric"
                [[public]]
                name = "relay"
                [[step]]
                name = "server"
                on = "relay"
                shell = "echo up ${relay.ip}; exec sleep 600"
                background = true
                wait_for = "up"
                save = { address = "up (.*)" }
                [[step]]
                on = "alice"
                shell = "ip route get ${address}"
                expect = "via 192.168.10.1"
                [[step]]
                end = "server"
                [[step]]
                on = "alice"
                shell = "exit 5"
                [[step]]
                pause = 600
                """, name: "test")
        let outcomes = try await Lab.with(scenario.plan) { lab in
            try await Lab.with(scenario.plan) { other in
                #expect(other.id != lab.id)
                return try await ScenarioRunner(scenario, folder: "/").run(in: other) { _ in }
            }
        }
        #expect(outcomes.map(\.isSuccess) == [true, true, true, false])
        #expect(outcomes.last?.failure == "exit code 5 instead of exit code 0")
    }

    @Test("a lab whose building is cancelled, or fails, leaves nothing", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        guard self.isPossible() else { return }
        let seen = Locked<[String]>([])
        let options = LabOptions(progress: { text in seen.withLock { $0.append(text) } })
        let task = Task { try await Lab.up(LabPlan(homes: [HomePlan("a", nat: .symmetric)]), options: options) }
        while seen.withLock({ $0.isEmpty }) { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        var broken = LabOptions(progress: options.progress)
        broken.executable = "/bin/false"
        await #expect(throws: LabError(.notReady, "")) { try await Lab.up(LabPlan(homes: [HomePlan("a", nat: .symmetric)]), options: broken) }
        let ids = seen.withLock { $0 }.compactMap { $0.split(separator: "(lab ").last?.dropLast() }.map(String.init)
        #expect(ids.count == 2)
        for id in ids { self.expectNothingLeft(of: id) }
    }

    @Test("what a dead owner left is removed; standing labs and those in use are not", .timeLimit(.minutes(1)))
    func leftovers() async throws {
        guard self.isPossible() else { return }
        let plan = LabPlan(homes: [HomePlan("a", nat: .fullCone)])
        let orphan = try await Lab.up(plan)
        let standing = try await Lab.up(plan, options: LabOptions(isStanding: true))
        let used = try await Lab.up(plan)
        for lab in [orphan, standing] {
            var record = try #require(LabStore.standard.record(of: lab.id))
            record.owner.startTicks += 1
            try LabStore.standard.save(record)
        }
        let removed = await Lab.removeLeftovers()
        #expect(removed.contains(orphan.id))
        #expect(!removed.contains(standing.id) && !removed.contains(used.id))
        self.expectNothingLeft(of: orphan.id)
        let again = try await Lab.attach(standing.id)
        #expect(try await again.verify().allSatisfy(\.isAsNamed))
        await again.down()
        await used.down()
        self.expectNothingLeft(of: standing.id)
        self.expectNothingLeft(of: used.id)
    }

    @Test("without root it refuses in one line that says what to do")
    func refusal() async {
        guard !Lab.isPermitted else { return }
        await #expect(throws: LabError(.needsRoot, "")) { try await Lab.up(LabPlan()) }
    }
}
#endif
