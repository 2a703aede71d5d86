import ArgumentParser

@main
struct NATLabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "natlab",
        abstract: "Builds an internet of real NATs on this machine, and shows what gets through.",
        discussion: """
            Homes behind full-cone, port-restricted, symmetric, carrier-grade and other NATs, made of Linux network \
            namespaces and nftables rules; nothing leaves the machine. Needs Linux and root.

            See that every NAT behaves as its name says, then which pairs can be punched at all:
              sudo natlab verify
              sudo natlab matrix --probe tcp-punch

            Keep a lab standing and look around in it:
              sudo natlab up NATLab/two-homes.toml
              sudo natlab shell alice
              sudo natlab down

            Run a scenario file and see whether it holds:
              sudo natlab run NATLab/reboot.toml

            Results go to standard output, progress to standard error. Please attach the output of \
            "natlab verify --json" and "natlab run FILE --json" to bug reports.

            EXIT CODES
            \(ExitStatus.table)
            """,
        version: "0.1.0",
        subcommands: [
            KindsCommand.self, VerifyCommand.self, MatrixCommand.self, RunCommand.self, UpCommand.self, DownCommand.self, ListCommand.self,
            ShellCommand.self, ExecCommand.self, RebootCommand.self, LinkCommand.self, CaptureCommand.self, PlanCommand.self,
            DelayCommand.self, ServeCommand.self, ProbeCommand.self, PunchCommand.self, FlushConnectionsCommand.self,
        ])
}
