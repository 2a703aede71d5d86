import ArgumentParser
import DIGCommandLine
import DIGNATLab
import Foundation

struct UpCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Builds the lab of a scenario file and keeps it standing.",
        discussion: "The file's steps are not run. Enter it with natlab shell, end it with natlab down.")

    @Flag(help: "One JSON object.") var json = false
    @Argument(help: "A scenario file.", completion: .file(extensions: ["toml"])) var file: String

    func execute(_ output: Output) async throws {
        let scenario = try ScenarioFile.read(self.file)
        #if os(Linux)
        let lab = try await Lab.up(scenario.plan, options: LabOptions(title: scenario.title, isStanding: true, progress: output.progress))
        let hosts = await lab.hosts
        if self.json {
            output.event([
                "event": "up", "lab": .string(lab.id),
                "hosts": .array(hosts.map { .object(["name": .string($0.name), "home": $0.home.map(JSONValue.string) ?? .null, "ipv4": .string($0.ipv4), "ipv6": $0.ipv6.map(JSONValue.string) ?? .null]) }),
            ])
            return
        }
        output.result("lab \(lab.id) stands: \(scenario.title)")
        for host in hosts {
            var text = "  \(TerminalText.padded(host.name, to: 16)) \(TerminalText.padded(host.ipv4, to: 16))"
            if let home = host.home, let plan = scenario.plan.homes.first(where: { $0.name == home }) {
                text += "\(plan.nat.rawValue), seen as \(try await lab.externalAddress(of: home))"
            } else {
                text += "public"
            }
            output.result(text + (host.ipv6.map { ", \($0)" } ?? ""))
        }
        output.result("natlab shell \(hosts.first?.name ?? "probe")   a shell there\nnatlab down \(lab.id)   takes it down")
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct DownCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Takes a standing lab down, with everything that runs in it.")

    @Flag(help: "Instead: remove what is left of labs whose owner died. Standing labs and those in use stay.") var all = false
    @Argument(help: "Its ID; not needed if only one stands.") var lab: String?

    func validate() throws {
        if self.all, let lab = self.lab { throw ValidationError("either --all or an ID: \(lab)") }
    }

    func execute(_ output: Output) async throws {
        #if os(Linux)
        try Lab.requireMeans()
        if self.all {
            let removed = await Lab.removeLeftovers()
            output.result(removed.isEmpty ? "nothing was left behind" : "removed \(removed.joined(separator: ", "))")
            return
        }
        let lab = try await Lab.attach(self.lab)
        await lab.down()
        output.result("lab \(lab.id) is down")
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct ListCommand: LabCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "The labs on this machine.")

    @Flag(help: "One JSON object a line.") var json = false

    func execute(_ output: Output) async throws {
        #if os(Linux)
        guard Lab.isPermitted else { throw LabError(.needsRoot, "labs belong to root: run this as root (sudo natlab list)") }
        let records = Lab.records
        for record in records {
            let state = record.state
            // What to do about it.
            let next = state == .leftBehind ? "natlab down --all" : nil
            if self.json {
                output.event([
                    "event": "lab", "lab": .string(record.id), "state": .string(state.rawValue), "pid": state == .inUse ? .integer(Int64(record.owner.pid)) : .null,
                    "title": .string(record.title), "created": .string(record.created.ISO8601Format()), "next": next.map(JSONValue.string) ?? .null,
                ])
            } else {
                let note = state == .inUse ? "  (process \(record.owner.pid))" : next.map { "  → \($0)" } ?? ""
                output.result("\(record.id)  \(TerminalText.padded(state.rawValue, to: 11))  \(TerminalText.singleLine(record.title))\(note)")
            }
        }
        if records.isEmpty, !self.json { output.result("no labs") }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct ShellCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "A shell on a host of a standing lab.",
        discussion: "Also on a router (alice-gw), in the core, and on the probe server (probe). HOME is the host's own folder.")

    @Option(help: "Which lab, if several stand.") var lab: String?
    @Argument(help: "A host.") var host: String

    func execute(_ output: Output) async throws {
        let shell = ProcessInfo.processInfo.environment["SHELL"] ?? "/bin/sh"
        try await ExecCommand.become([shell], on: self.host, lab: self.lab)
    }
}

struct ExecCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Runs a program on a host of a standing lab.", usage: "natlab exec [--lab ID] HOST PROGRAM [ARGUMENT …]")

    @Option(help: "Which lab, if several stand.") var lab: String?
    @Argument(help: "A host.") var host: String
    @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.") var command: [String]

    func execute(_ output: Output) async throws {
        let command = self.command.first == "--" ? Array(self.command.dropFirst()) : self.command
        guard !command.isEmpty else { throw ValidationError("which program?") }
        try await Self.become(command, on: self.host, lab: self.lab)
    }

    /// Replaces this process.
    static func become(_ command: [String], on host: String, lab: String?) async throws {
        #if os(Linux)
        let lab = try await Lab.attach(lab)
        let (arguments, environment) = try await lab.shell(on: host, command: command)
        Interruption.restoreDefaults()
        let argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        let envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        execve(arguments[0], argv, envp)
        throw LabError(.commandFailed, "\(arguments[0]) could not be started: \(String(cString: strerror(errno)))")
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct RebootCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "reboot", abstract: "Restarts a home's router in a standing lab: mappings gone, another external address.")

    @Option(help: "Which lab, if several stand.") var lab: String?
    @Argument(help: "A home or carrier.") var home: String

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let lab = try await Lab.attach(self.lab, options: LabOptions(progress: output.progress))
        try await lab.reboot(self.home)
        output.result("\(self.home) is seen as \(try await lab.externalAddress(of: self.home))")
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct LinkCommand: LabCommand {
    static let configuration = CommandConfiguration(commandName: "link", abstract: "Pulls a line out of a standing lab, or plugs it in again.")

    enum State: String, ExpressibleByArgument, CaseIterable { case up, down }

    @Option(help: "Which lab, if several stand.") var lab: String?
    @Argument(help: "A home, a carrier or a host.") var name: String
    @Argument(help: "up or down") var state: State

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let lab = try await Lab.attach(self.lab)
        try await lab.setLink(of: self.name, up: self.state == .up)
        output.result("\(self.name): link \(self.state.rawValue)")
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct CaptureCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture", abstract: "Records the packets of a host in a standing lab into a pcap file, until Ctrl-C.")

    @Option(help: "Which lab, if several stand.") var lab: String?
    @Option(help: "As for tcpdump.") var filter = ""
    @Option(help: "eth0 on hosts; wan and lan on routers.") var interface = "eth0"
    @Argument(help: "A host or router.") var host: String
    @Argument(help: "The file to write.", completion: .file(extensions: ["pcap"])) var file: String

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let lab = try await Lab.attach(self.lab)
        let path = URL(fileURLWithPath: self.file).path
        let capture = try await lab.capture(on: self.host, interface: self.interface, to: path, filter: self.filter)
        output.progress("recording \(self.host), \(self.interface) into \(path); Ctrl-C ends it")
        do {
            while capture.exit == nil { try await Task.sleep(for: .milliseconds(200)) }
        } catch {
            await capture.terminate(grace: .seconds(2))
        }
        output.result(path)
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct PlanCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Shows the commands and rules a scenario's lab would be made of; builds nothing.")

    @Argument(help: "A scenario file, or a kind of NAT.", completion: .file(extensions: ["toml"])) var what: String
    @Argument(help: "Only this machine: a host, alice-gw, core; or the word namespaces.") var machine: String?

    func execute(_ output: Output) async throws {
        let scripts = try self.plan.scripts()
        if let machine = self.machine, !scripts.contains(where: { $0.machine == machine }) {
            throw LabError.unknown("machine", machine, among: scripts.map(\.machine))
        }
        for (name, script) in scripts where self.machine == nil || self.machine == name {
            output.result("# ---- \(name)\n\(script)")
        }
    }

    private var plan: LabPlan {
        get throws {
            if let kind = NATKind(named: self.what) { return LabPlan(homes: [HomePlan("home", nat: kind)]) }
            // A word is meant to be a kind.
            guard self.what.contains(where: { $0 == "/" || $0 == "." }) || FileManager.default.fileExists(atPath: self.what) else {
                throw LabError.unknownKind(self.what)
            }
            return try ScenarioFile.read(self.what).plan
        }
    }
}
