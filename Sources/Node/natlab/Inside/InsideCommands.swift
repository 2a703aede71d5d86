import ArgumentParser
import DIGNATLab
import Foundation

// What a lab runs in its own namespaces. They are listed in no help text, but work by hand as well.

struct DelayCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "delay", abstract: "Joins pairs of interfaces of this namespace with a delay between them.", shouldDisplay: false)

    @Option(help: "Decides which packets are lost.") var seed: UInt64 = 1
    @Argument(help: "NEAR=FAR:MICROSECONDS[:LOSS]") var pairs: [String]

    func execute(_ output: Output) async throws {
        let specifications = try self.pairs.map { text in
            guard let specification = DelaySpecification(text) else { throw ValidationError("\"\(text)\" is not NEAR=FAR:MICROSECONDS[:LOSS]") }
            return specification
        }
        #if os(Linux)
        try DelayElement(specifications, seed: self.seed).run { output.result("delaying \(specifications.count) lines") }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct ServeCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "The public end of the probes: STUN, dial-back and rendezvous.", shouldDisplay: false)

    @Argument(help: "Two addresses of a family each.") var addresses: [String]

    func execute(_ output: Output) async throws {
        #if os(Linux)
        try ProbeServer(addresses: self.addresses).run { output.result("serving on \(self.addresses.joined(separator: ", "))") }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct ProbeCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe", abstract: "Measures the NAT before this host, against \"natlab serve\".", shouldDisplay: false)

    @Flag(help: "One JSON object.") var json = false
    @Argument(help: "The server's addresses: two of IPv4, and two of IPv6 if that is to be measured.") var addresses: [String]

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let report = try NATProbe.run(addresses: self.addresses)
        if self.json {
            output.result(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
        } else {
            output.result("UDP  \(report.udp.summary)\nTCP  \(report.tcp.summary)" + (report.udp6.map { "\nUDP over IPv6  \($0.summary)" } ?? ""))
        }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct PunchCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "punch", abstract: "One side of a hole punch; run it on two hosts with the same room.", shouldDisplay: false)

    @Flag(help: "Listen on the punched port, too.") var listen = false
    @Option(help: "Milliseconds from the introduction.") var limit = 4000
    @Argument(help: "tcp or udp") var transport: String
    @Argument(help: "Address of \"natlab serve\".") var server: String
    @Argument(help: "A word both sides use.") var room: String

    func execute(_ output: Output) async throws {
        guard let transport = PunchTransport(rawValue: self.transport) else { throw ValidationError("tcp or udp") }
        #if os(Linux)
        let report = try PunchProbe(server: self.server, room: self.room, listens: self.listen, timeLimit: .milliseconds(self.limit)).run(transport)
        output.result(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}

struct FlushConnectionsCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush-connections", abstract: "Forgets every connection that this namespace's router tracks.", shouldDisplay: false)

    func execute(_ output: Output) async throws {
        #if os(Linux)
        try ConnectionTracker.flush()
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}
