#if os(Linux)
import Glibc
import Synchronization

/// Starts processes with `posix_spawn`.
enum Spawn {
    enum Output {
        /// Standard output and standard error each into a pipe.
        case pipes
        /// Both appended to this file.
        case file(String)
    }

    struct Started {
        var pid: pid_t
        /// -1 without pipes. The caller closes them.
        var standardOutput: Int32
        var standardError: Int32
    }

    /// Held from the making of a pipe to the start of the child: another child started in between would inherit the write end and keep
    /// the reader waiting.
    private static let lock = Mutex(())

    /// - Parameters:
    ///   - arguments: The first is looked up in `PATH`; a ``Tool`` also in the administrator's folders.
    ///   - newSession: Whether the child leaves our session (a daemon) instead of only getting a process group of its own.
    /// - Throws: ``LabError`` with `.missingTool` or `.commandFailed`.
    static func start(_ arguments: [String], environment: [String: String], output: Output, newSession: Bool = false) throws(LabError) -> Started {
        let result: Result<Started, LabError> = self.lock.withLock { _ in
            do throws(LabError) {
                return .success(try self.startLocked(arguments, environment: environment, output: output, newSession: newSession))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func startLocked(_ arguments: [String], environment: [String: String], output: Output, newSession: Bool) throws(LabError) -> Started {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)

        var out: (read: Int32, write: Int32) = (-1, -1)
        var err: (read: Int32, write: Int32) = (-1, -1)
        switch output {
        case .pipes:
            out = try self.pipe()
            do throws(LabError) {
                err = try self.pipe()
            } catch {
                close(out.read)
                close(out.write)
                throw error
            }
            posix_spawn_file_actions_adddup2(&actions, out.write, 1)
            posix_spawn_file_actions_adddup2(&actions, err.write, 2)
        case .file(let path):
            posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGCHLD, SIGQUIT] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let setSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, since glibc 2.26; the module map hides it
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF) | (newSession ? setSession : Int32(POSIX_SPAWN_SETPGROUP))))

        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let name = arguments.first ?? ""
        let tool = Tool(rawValue: name)
        let code = posix_spawnp(&pid, tool?.path ?? name, &actions, &attributes, &argv, &envp)
        for descriptor in [out.write, err.write] where descriptor >= 0 { close(descriptor) }
        guard code == 0 else {
            for descriptor in [out.read, err.read] where descriptor >= 0 { close(descriptor) }
            if let tool, code == ENOENT { throw Tool.missing([tool]) }
            throw LabError(code == ENOENT ? .missingTool : .commandFailed, "\(name) could not be started: \(String(cString: strerror(code)))")
        }
        return Started(pid: pid, standardOutput: out.read, standardError: err.read)
    }

    private static func pipe() throws(LabError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw LabError(.commandFailed, "no pipe could be made: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Waits on the calling thread until the child has ended, without reaping it.
    static func waitWithoutReaping(_ pid: pid_t) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    }

    /// Reaps a child that has ended.
    static func reap(_ pid: pid_t) -> LabExit {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { return .code(-1) }
        }
        let signal = status & 0x7F
        return signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
    }
}
#endif
