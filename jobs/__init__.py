"""Jobs: queues between the parts that accept work and the workers that do it. The plugin is `plugin.JobsPlugin`."""
