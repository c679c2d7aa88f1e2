import sys, runpy
sys.meta_path=[f for f in sys.meta_path if 'editable' not in repr(f).lower()]
sys.path.insert(0,'/tmp/nm/wt4/externals'); sys.path.insert(0,'/tmp/nm/wt4')
mod=sys.argv[1]; sys.argv=sys.argv[1:]
runpy.run_module(mod, run_name='__main__', alter_sys=True)
