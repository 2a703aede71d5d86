import Testing

@testable import DIGNATLab

@Suite("Scenario files")
struct ScenarioFileTests {
    @Test("a whole file is read")
    func whole() throws {
        let scenario = try ScenarioFile(
            text: """
                title = "a test"
                delay = 20
                [[public]]
                name = "relay"
                down = 2.5
                [[carrier]]
                name = "isp"
                nat = "symmetric"
                [[home]]
                name = "alice"
                nat = "port-restricted"
                hosts = 2
                hairpin = true
                upnp = true
                carrier = "isp"
                [[home]]
                name = "bob"
                nat = "full-cone"
                delay = 0.5
                ipv6 = "firewalled"
                preserve = false
                [[step]]
                name = "server"
                on = "relay"
                run = ["nc", "-l", "1"]
                background = true
                wait_for = "listen"
                save = { port = "port (\\\\d+)" }
                [[step]]
                on = "alice"
                shell = "true"
                exit = 3
                timeout = 5
                [[step]]
                reboot = "bob"
                [[step]]
                link_down = "bob"
                [[step]]
                pause = 1.5
                [[step]]
                capture = "relay"
                file = "/tmp/x"
                [[step]]
                end = "server"
                [[step]]
                verify = true
                """, name: "x.toml")
        #expect(scenario.title == "a test")
        #expect(
            scenario.plan
                == LabPlan(
                    publicHosts: [PublicHostPlan("relay", link: LinkPlan(down: 2.5))],
                    homes: [
                        HomePlan("alice", nat: .portRestricted, hostCount: 2, hairpin: true, upnp: true, carrier: "isp", link: LinkPlan(delay: .milliseconds(20))),
                        HomePlan("bob", nat: .fullCone, preservesPorts: false, ipv6: .firewalled, link: LinkPlan(delay: .microseconds(500))),
                    ], carriers: [CarrierPlan("isp", nat: .symmetric)]))
        #expect(
            scenario.steps.map(\.action) == [
                .run(
                    .init(
                        host: "relay", command: ["nc", "-l", "1"], isBackground: true, waitFor: "listen", expects: nil, saves: ["port": #"port (\d+)"#], exit: 0,
                        timeout: .seconds(60))),
                .run(.init(host: "alice", command: ["sh", "-c", "true"], isBackground: false, waitFor: nil, expects: nil, saves: [:], exit: 3, timeout: .seconds(5))),
                .reboot("bob"), .link("bob", up: false), .pause(.milliseconds(1500)), .capture(host: "relay", file: "/tmp/x", filter: ""), .end("server"), .verify,
            ])
    }

    @Test("variables stand for what was saved, and an unknown one is an error")
    func variables() throws {
        var variables = ScenarioVariables(["relay.ip": "203.0.113.10"])
        variables.set("link", to: "dig:x")
        #expect(try variables.expand("a ${relay.ip} ${link}$ {link}") == "a 203.0.113.10 dig:x$ {link}")
        #expect(try variables.expand("^${relay.ip}$", asPattern: true) == #"^203\.0\.113\.10$"#)
        for text in ["${nothing}", "${link"] { #expect(throws: LabError(.invalidScenario, "")) { try variables.expand(text) } }
    }

    #if os(Linux)
    @Test("a pattern gives its first group, or all it matched")
    func patterns() {
        #expect(ScenarioRunner.match(#"port (\d+)"#, in: "on port 80.") == "80")
        #expect(ScenarioRunner.match(#"\d+"#, in: "on port 80.") == "80")
        #expect(ScenarioRunner.match("x", in: "on port 80.") == nil)
    }
    #endif
}
