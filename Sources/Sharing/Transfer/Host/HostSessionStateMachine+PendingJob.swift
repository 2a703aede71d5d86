extension HostSessionStateMachine {
    struct PendingJob {
        let handle: UInt32
        /// 0 for a resolution, which belongs to no handle.
        let generation: UInt64
        let job: HostJob
    }
}
