#if os(Linux)
import Foundation
import Testing

@testable import DIGNATLab

/// Exit codes and output are an interface: these run the program itself.
@Suite("natlab commands", .serialized)
struct CommandTests {
    private func start(_ arguments: [String], environment: [String: String] = [:]) throws -> LabProcess {
        try LabProcess(
            host: "here", command: ["natlab"], spawning: [try LabExecutable.find(nil)] + arguments,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 })
    }

    private func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> LabOutput {
        try await self.start(arguments, environment: environment).wait(timeout: .seconds(60))
    }

    private func withFile<T>(_ text: String, _ body: (String) async throws -> T) async throws -> T {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("natlab-\(UUID().uuidString).toml").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    private func object(_ line: String?) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data((line ?? "").utf8)) as? [String: Any])
    }

    @Test(
        "a command line that names what is not there, or says too much, is refused",
        arguments: [
            (["plan", "symmetric", "nohost"], "there is no machine \"nohost\"; there are namespaces, core, probe, home-gw, home"), (["plan", "symmetric", "home-wg"], "did you mean \"home-gw\"?"),
            (["plan", "symmetrical"], "\"symmetrical\" is no kind of NAT (natlab kinds lists them); did you mean \"symmetric\"?"), (["plan", "symmetric", "home", "x"], "x"),
            (["kinds", "x"], "x"), (["verify", "--lab", "abcde", "x.toml"], "either --lab or a scenario file"), (["down", "--all", "zzz"], "either --all or an ID"),
            (["matrix", "--rows", "pr,port-restricted"], "--rows: port-restricted is there twice"), (["matrix", "--rows", ""], "--rows: \"\" is no kind"),
            (["matrix", "--columns", "pr,cone"], "--columns: \"cone\" is no kind of NAT (natlab kinds lists them); did you mean \"full-cone\"?"), (["matrix", "--probe", "tcp-punch", "--size", "1"], "--size"),
            (["matrix", "--limit", "1"], "--limit is for --probe"), (["matrix", "--delay", "nan"], "--delay: from 0.0 to 5000.0, not nan"), (["matrix", "--repeats", "0"], "--repeats"),
        ])
    func usage(arguments: [String], words: String) async throws {
        let output = try await self.run(arguments)
        #expect(output.exit == .code(64))
        #expect(output.standardOutput.isEmpty)
        #expect(output.standardError.contains(words), "\(output.standardError)")
    }

    @Test("a bad file is refused by every command that reads one, and named with its line")
    func files() async throws {
        try await self.withFile("[[home]]\nname = \"a\"\nnat = \"none\"\n[[step]]\nreboot = \"b\"\n") { path in
            for command in ["plan", "up", "run", "verify"] {
                let output = try await self.run([command, path])
                #expect(output.exit == .code(78), "\(command)")
                #expect(output.standardError == "natlab: \(path): line 5: step 1: reboot: there is no home or carrier \"b\"; there is only a\n", "\(command)")
            }
        }
        let missing = try await self.run(["plan", "missing.toml"])
        #expect(missing.exit == .code(78))
        #expect(missing.standardError == "natlab: missing.toml: there is no such file\n")
        let json = try await self.run(["run", "--json", "missing.toml"])
        let event = try self.object(json.lines.first { $0.stream == .standardOutput }?.text)
        #expect(event["event"] as? String == "error")
        #expect(event["exit"] as? Int == 78)
        #expect(event["code"] as? String == "invalid-file")
    }

    @Test("a plan of one machine is that machine's, also by a kind's short name; a reader may go away")
    func plans() async throws {
        let one = try await self.run(["plan", "sym", "home-gw"])
        #expect(one.exit == .code(0))
        #expect(one.lines.filter { $0.text.hasPrefix("# ---- ") }.map(\.text) == ["# ---- home-gw"])
        let executable = try LabExecutable.find(nil)
        let process = try LabProcess(
            host: "here", command: ["sh"], spawning: ["sh", "-c", "('\(executable)' plan symmetric; echo $? >&2) | true"], environment: ProcessInfo.processInfo.environment)
        #expect(try await process.wait(timeout: .seconds(60)).standardError == "0\n")
    }

    @Test("a missing tool is named with its Debian package")
    func tools() {
        #expect(Tool.missing([.nft, .ip]).message == "nft, ip not found; apt-get install iproute2 nftables")
        #expect(Tool.missing([.miniupnpd]).code == .missingTool)
        #expect(Tool.isProgram("sh", in: "/nowhere:/bin"))
        #expect(Tool.isProgram("/bin/sh", in: ""))
        for name in ["", "no-such-program", "/no/such/program", "/bin", "/etc/passwd"] { #expect(!Tool.isProgram(name, in: "/bin:/usr/bin"), "\(name)") }
    }

    /// Whether to go on; says in one line why not.
    private func isPossible(_ name: String = #function) -> Bool {
        if Lab.isPermitted { return true }
        print("DIGNATLabTests: \(name) needs root: not run")
        return false
    }

    @Test("an interrupted run takes its lab down, ends with an event and with 128 and the signal", .timeLimit(.minutes(2)), arguments: [SIGINT, SIGTERM, SIGHUP])
    func interrupted(signal: Int32) async throws {
        guard self.isPossible() else { return }
        let name = [SIGINT: "interrupted", SIGTERM: "terminated", SIGHUP: "hung-up"][signal]
        try await self.withFile("[[home]]\nname = \"a\"\nnat = \"none\"\n[[step]]\npause = 0\n[[step]]\npause = 600\n") { path in
            let process = try self.start(["run", "--json", path])
            let building = try await process.line(timeout: .seconds(60)) { $0.text.contains("(lab ") }
            let id = try #require(building.text.firstMatch(of: /\(lab (\w+)\)/)).output.1
            _ = try await process.line(timeout: .seconds(60)) { $0.text.contains("\"event\":\"step\"") }
            process.send(signal: signal)
            // As timeout(1) does: the same wish.
            process.send(signal: signal)
            let output = try await process.wait(timeout: .seconds(60))
            #expect(output.exit == .code(128 + signal))
            let last = try self.object(output.lines.last { $0.stream == .standardOutput }?.text)
            #expect(last["event"] as? String == "error")
            #expect(last["exit"] as? Int == Int(128 + signal))
            #expect(last["code"] as? String == name)
            #expect(Namespaces.all.filter { LabRecord.id(ofNamespace: $0) == String(id) } == [])
        }
    }

    @Test("in a standing lab programs end as they end, a missing one is 127, and the list has a word for it", .timeLimit(.minutes(2)))
    func standing() async throws {
        guard self.isPossible() else { return }
        try await self.withFile("title = \"a test\"\n[[home]]\nname = \"alice\"\nnat = \"none\"\n") { path in
            let up = try await self.run(["up", "--json", path])
            let id = try #require(try self.object(up.lines.first { $0.stream == .standardOutput }?.text)["lab"] as? String)
            do {
                for (command, exit) in [(["true"], 0), (["sh", "-c", "exit 7"], 7)] as [([String], Int32)] {
                    #expect(try await self.run(["exec", "--lab", id, "alice"] + command).exit == .code(exit))
                }
                let missing = try await self.run(["exec", "--lab", id, "alice", "no-such-program"])
                #expect(missing.exit == .code(127))
                #expect(missing.standardError == "natlab: there is no program \"no-such-program\" to run on alice\n")
                #expect(try await self.run(["shell", "--lab", id, "alice"], environment: ["SHELL": "/no/shell"]).exit == .code(127))
                for (arguments, words) in [
                    (["exec", "--lab", id, "alcie", "true"], "there is no machine \"alcie\"; did you mean \"alice\"?"), (["reboot", "--lab", id, "bob"], "no home or carrier \"bob\"; there is only alice"),
                    (["link", "--lab", id, "bob", "up"], "no home, carrier or host \"bob\""), (["exec", "--lab", "nolab", "alice", "true"], "there is no lab \"nolab\""),
                    (["down", "../\(id)"], "there is no lab"),
                ] {
                    let output = try await self.run(arguments)
                    #expect(output.exit == .code(64), "\(arguments)")
                    #expect(output.standardError.contains(words), "\(output.standardError)")
                }
                let list = try await self.run(["list", "--json"])
                let entry = try self.object(list.lines.first { $0.text.contains("\"\(id)\"") }?.text)
                #expect(entry["state"] as? String == "standing")
                #expect(entry["next"] is NSNull && entry["pid"] is NSNull)
                let text = try await self.run(["list"])
                #expect(text.lines.contains { $0.text == "\(id)  standing     a test" }, "\(text.standardOutput)")
            } catch {
                _ = try await self.run(["down", id])
                throw error
            }
            #expect(try await self.run(["down", id]).exit == .code(0))
            #expect(LabStore.standard.record(of: id) == nil)
        }
    }
}
#endif
